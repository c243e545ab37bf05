//! What is odd about two rules beside each other.

use super::{
    Findings, Severity, named,
    shop::{Shop, Subject},
};
use crate::{
    decide::{
        filter::Bitmap,
        rules::rule::{Action, Rule},
    },
    domain::{ItemId, Timestamp},
};

/// Whether both rules can be in force in one place at one time.
pub(super) fn may_meet(first: &Rule, second: &Rule) -> bool {
    let in_one_place = first.scenarios.is_empty()
        || second.scenarios.is_empty()
        || first.scenarios.iter().any(|named| second.scenarios.contains(named));
    let begins_before_the_end = |one: &Rule, other: &Rule| {
        one.valid_from.zip(other.valid_until).is_none_or(|(from, until)| from < until)
    };
    in_one_place && begins_before_the_end(first, second) && begins_before_the_end(second, first)
}

/// Whether the outer rule is in force wherever and whenever the inner is, from `now` on.
fn covers(outer: &Rule, inner: &Rule, now: Timestamp) -> bool {
    let everywhere = outer.scenarios.is_empty()
        || (!inner.scenarios.is_empty()
            && inner.scenarios.iter().all(|named| outer.scenarios.contains(named)));
    let from_the_start = outer
        .valid_from
        .is_none_or(|from| from <= now || inner.valid_from.is_some_and(|inner| from <= inner));
    let to_the_end =
        outer.valid_until.is_none_or(|until| inner.valid_until.is_some_and(|inner| inner <= until));
    everywhere && from_the_start && to_the_end
}

/// What is odd about two rules that can meet; `first` wins where they disagree.
pub(super) fn together(
    first: &Subject<'_>,
    second: &Subject<'_>,
    shop: &Shop<'_>,
    findings: &mut Findings,
) {
    use Action::{Boost, Filter, Hide, Pin};
    match (&first.rule.action, &second.rule.action) {
        (Pin { .. }, Pin { .. }) => two_pins(first.rule, second.rule, findings),
        (Pin { .. }, Hide { .. } | Filter { .. }) => {
            against_pin(first, second, true, shop, findings);
        }
        (Hide { .. } | Filter { .. }, Pin { .. }) => {
            against_pin(second, first, false, shop, findings);
        }
        (Filter { .. }, Filter { .. }) if exclude_each_other(first, second) => {
            let message = "no item that can be sold passes both filters, so lists are empty";
            let code = "filters_exclude_each_other";
            findings.between(second.rule, first.rule, Severity::Error, code, message.into());
        }
        (Hide { .. }, Filter { .. }) => hide_against_filter(first, second, shop, findings),
        (Filter { .. }, Hide { .. }) => hide_against_filter(second, first, shop, findings),
        (Boost { factor: one, .. }, Boost { factor: other, .. }) => {
            let is_opposite = (*one > 1.0 && *other < 1.0) || (*one < 1.0 && *other > 1.0);
            let is_same = first.matching == second.matching && !first.matching.is_empty();
            if is_opposite && is_same {
                let message = format!(
                    "one raises and the other lowers the same {} items; together they multiply by {}",
                    first.matching.count(),
                    one * other,
                );
                let code = "boost_against_demote";
                findings.between(second.rule, first.rule, Severity::Warning, code, message);
            }
        }
        _ => {}
    }
    // Of two that do the same the later is the superfluous one.
    if makes_superfluous(first, second, shop) {
        findings.shadowed(second.rule, first.rule);
    } else if makes_superfluous(second, first, shop) {
        findings.shadowed(first.rule, second.rule);
    }
}

/// Whether both let something pass, but nothing passes both.
fn exclude_each_other(first: &Subject<'_>, second: &Subject<'_>) -> bool {
    !first.matching.is_empty()
        && !second.matching.is_empty()
        && first.matching.and(&second.matching).is_empty()
}

fn two_pins(first: &Rule, second: &Rule, findings: &mut Findings) {
    let (Action::Pin { items, position }, Action::Pin { items: others, position: other }) =
        (&first.action, &second.action)
    else {
        return;
    };
    let twice: Vec<&ItemId> = others.iter().filter(|item| items.contains(item)).collect();
    if !twice.is_empty() {
        let message = format!("pins {} again; the first place counts", named(twice));
        findings.between(second, first, Severity::Warning, "pinned_twice", message);
    }
    let end = |position: u32, items: &[ItemId]| position as usize + items.len();
    let from = (*position).max(*other) as usize;
    if from < end(*position, items).min(end(*other, others)) {
        let message = format!("pins another item at position {from}, so its own move down");
        findings.between(second, first, Severity::Warning, "same_position", message);
    }
}

/// A pin and a rule that keeps out some of what it pins.
fn against_pin(
    pin: &Subject<'_>,
    keeper: &Subject<'_>,
    pin_wins: bool,
    shop: &Shop<'_>,
    findings: &mut Findings,
) {
    let is_hide = matches!(keeper.rule.action, Action::Hide { .. });
    let kept_out = shop.pinned_where(pin.rule, keeper.filter, is_hide);
    if kept_out.is_empty() {
        return;
    }
    let (code, what) = if is_hide {
        ("pin_against_hide", "hidden")
    } else {
        ("pin_against_filter", "filtered out")
    };
    let outcome = if pin_wins {
        "is shown nevertheless, as the pin goes first"
    } else {
        "is not shown, as the pin goes second"
    };
    let message =
        format!("pins {}, which is {what} by the other rule and {outcome}", named(kept_out));
    findings.between(pin.rule, keeper.rule, Severity::Warning, code, message);
}

fn hide_against_filter(
    hide: &Subject<'_>,
    filter: &Subject<'_>,
    shop: &Shop<'_>,
    findings: &mut Findings,
) {
    let is_total = filter.matching.and(&hide.matching) == filter.matching;
    let hides_all = hide.matching.count() == shop.sellable.len();
    if is_total && !filter.matching.is_empty() && !hides_all {
        let message = "hides everything that the other rule lets pass, so lists are empty".into();
        findings.between(hide.rule, filter.rule, Severity::Error, "empties_lists", message);
    }
}

/// Whether the inner rule changes nothing that the outer one has not changed already.
fn makes_superfluous(outer: &Subject<'_>, inner: &Subject<'_>, shop: &Shop<'_>) -> bool {
    use Action::{Boost, Cap, Filter, Hide};
    let is_part = |part: &Bitmap, whole: &Bitmap| part.and(whole) == *part;
    // What matches nothing, or all there is, is told of by itself.
    let is_telling = |subject: &Subject<'_>| {
        let n_matching = subject.matching.count();
        n_matching > 0 && n_matching < shop.sellable.len()
    };
    let does_the_same = match (&outer.rule.action, &inner.rule.action) {
        (Hide { .. }, Hide { .. } | Boost { .. }) => {
            is_telling(outer) && is_telling(inner) && is_part(&inner.matching, &outer.matching)
        }
        (Filter { .. }, Filter { .. }) => {
            is_telling(outer) && is_telling(inner) && is_part(&outer.matching, &inner.matching)
        }
        (Cap { by, max }, Cap { by: other_by, max: other }) => by == other_by && max <= other,
        _ => false,
    };
    does_the_same && covers(outer.rule, inner.rule, shop.now)
}
