//! For which items something is laid down, and the policy that comes of it for each.

use super::{
    PricePolicy,
    terms::{PriceTerms, TermsChange},
};
use crate::domain::{Item, ItemId, item::LABEL_CHARS_MAX};
use rustc_hash::FxHashMap;
use std::{borrow::Cow, fmt, str::FromStr};

/// For which items something is laid down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Shop,
    /// Those of a brand.
    Brand(String),
    /// Those of a category.
    Category(String),
    /// One.
    Item(ItemId),
}

/// Why a text names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `shop`, `item:ID`, `category:NAME` or `brand:NAME`")]
pub struct NoScope;

impl FromStr for Scope {
    type Err = NoScope;
    fn from_str(text: &str) -> Result<Self, NoScope> {
        if text == "shop" {
            return Ok(Self::Shop);
        }
        let (kind, name) = text.split_once(':').ok_or(NoScope)?;
        let is_long = name.chars().nth(LABEL_CHARS_MAX).is_some();
        // No database has a place for NUL, so that no item has such a brand.
        let is_name = !name.is_empty() && !is_long && !name.contains('\0');
        match kind {
            "item" => ItemId::new(name).map(Self::Item).map_err(|_| NoScope),
            "category" if is_name => Ok(Self::Category(name.to_owned())),
            "brand" if is_name => Ok(Self::Brand(name.to_owned())),
            _ => Err(NoScope),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shop => f.write_str("shop"),
            Self::Brand(name) => write!(f, "brand:{name}"),
            Self::Category(name) => write!(f, "category:{name}"),
            Self::Item(item) => write!(f, "item:{item}"),
        }
    }
}

impl Scope {
    /// Whether it holds for an item.
    pub fn has(&self, item: &Item) -> bool {
        match self {
            Self::Shop => true,
            Self::Brand(name) => item.fields.brand.as_ref() == Some(name),
            Self::Category(name) => item.fields.categories.contains(name),
            Self::Item(id) => item.item_id == *id,
        }
    }
}

/// The policy of the shop, and what is laid down otherwise for some items.
///
/// What is said of the item itself counts first, then what is said of its categories in the order in which the item names
/// them, then of its brand, then of the shop; key by key.
#[derive(Clone, Debug)]
pub struct PricePolicies {
    shop: PricePolicy,
    terms: PriceTerms,
    is_laid_down_for_shop: bool,
    brands: FxHashMap<String, TermsChange>,
    categories: FxHashMap<String, TermsChange>,
    items: FxHashMap<ItemId, TermsChange>,
}

impl From<PricePolicy> for PricePolicies {
    /// One policy for all items.
    fn from(shop: PricePolicy) -> Self {
        Self::new((shop, PriceTerms::default()), [])
    }
}

impl PricePolicies {
    /// The shop's policy, made from these terms, and what is laid down otherwise.
    pub fn new(
        (shop, terms): (PricePolicy, PriceTerms),
        changes: impl IntoIterator<Item = (Scope, TermsChange)>,
    ) -> Self {
        let (brands, categories, items) = Default::default();
        let is_laid_down_for_shop = false;
        let mut policies = Self { shop, terms, is_laid_down_for_shop, brands, categories, items };
        for (scope, change) in changes {
            match scope {
                Scope::Shop => {
                    policies.is_laid_down_for_shop = true;
                    policies.terms = change.of(&policies.terms);
                    policies.shop = policies.by(&policies.terms);
                }
                Scope::Brand(name) => _ = policies.brands.insert(name, change),
                Scope::Category(name) => _ = policies.categories.insert(name, change),
                Scope::Item(item) => _ = policies.items.insert(item, change),
            }
        }
        policies
    }

    fn by(&self, terms: &PriceTerms) -> PricePolicy {
        let choice = terms.choice(self.shop.choice.explore);
        PricePolicy { enabled: terms.enabled, choice, ..self.shop.clone() }
    }

    /// The policy for all items for which nothing else is laid down.
    pub fn shop(&self) -> &PricePolicy {
        &self.shop
    }

    /// Its terms.
    pub fn terms(&self) -> &PriceTerms {
        &self.terms
    }

    /// What is laid down for an item, the strongest first, without what is for the whole shop.
    fn changes_of(&self, item: &Item) -> impl DoubleEndedIterator<Item = (Scope, &TermsChange)> {
        let fields = &item.fields;
        let of_item = self.items.get(&item.item_id);
        let of_item = of_item.map(|change| (Scope::Item(item.item_id.clone()), change));
        let of_category =
            |name: &String| Some((Scope::Category(name.clone()), self.categories.get(name)?));
        let of_brand = |name: &String| Some((Scope::Brand(name.clone()), self.brands.get(name)?));
        let of_categories = fields.categories.iter().filter_map(of_category);
        of_item.into_iter().chain(of_categories).chain(fields.brand.iter().filter_map(of_brand))
    }

    /// Where something is laid down that holds for an item, the strongest first.
    pub fn scopes_of(&self, item: &Item) -> Vec<Scope> {
        let of_shop = self.is_laid_down_for_shop.then_some(Scope::Shop);
        self.changes_of(item).map(|change| change.0).chain(of_shop).collect()
    }

    /// The policy for an item.
    pub fn of(&self, item: &Item) -> Cow<'_, PricePolicy> {
        if self.items.is_empty() && self.categories.is_empty() && self.brands.is_empty() {
            return Cow::Borrowed(&self.shop);
        }
        // The strongest has the last word.
        let changed =
            self.changes_of(item).rev().fold(None, |terms: Option<PriceTerms>, change| {
                Some(change.1.of(terms.as_ref().unwrap_or(&self.terms)))
            });
        changed.map_or(Cow::Borrowed(&self.shop), |terms| Cow::Owned(self.by(&terms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::price::{choice::Goal, terms::GoalName},
        domain::{ItemFields, Timestamp},
    };
    use proptest::prelude::*;

    fn item(id: &str, categories: &[&str], brand: Option<&str>) -> Item {
        Item {
            item_id: ItemId::new(id).unwrap(),
            fields: ItemFields {
                categories: categories.iter().map(ToString::to_string).collect(),
                brand: brand.map(str::to_owned),
                ..ItemFields::default()
            },
            price_in_force: None,
            first_seen_at: Timestamp(0),
            updated_at: Timestamp(0),
            removed: false,
            back_on_sale_at: None,
            revision: 1,
        }
    }

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    fn policies(changes: impl IntoIterator<Item = (&'static str, TermsChange)>) -> PricePolicies {
        let terms = PriceTerms { step_max: 0.1, step_30d_max: 0.3, ..PriceTerms::default() };
        let changes = changes.into_iter().map(|(text, change)| (scope(text), change));
        PricePolicies::new((PricePolicy::default(), terms), changes)
    }

    #[test]
    fn what_is_said_of_the_item_counts_before_categories_brand_and_shop() {
        let margin = |margin_floor| TermsChange {
            margin_floor: Some(margin_floor),
            ..TermsChange::default()
        };
        let goal = |goal| TermsChange { goal: Some(goal), ..TermsChange::default() };
        let policies = policies([
            ("item:mug-1", TermsChange { enabled: Some(true), ..TermsChange::default() }),
            ("category:mugs", goal(GoalName::Units)),
            ("category:gifts", TermsChange { margin_floor: Some(0.3), ..goal(GoalName::Revenue) }),
            ("brand:acme", TermsChange { step_max: Some(0.02), ..margin(0.9) }),
            ("shop", margin(0.2)),
        ]);
        let of = |item: &Item| policies.of(item).into_owned();
        let plain = of(&item("pen", &["pens"], None));
        assert_eq!((plain.enabled, plain.choice.margin_floor), (false, 0.2));
        assert_eq!(&plain, policies.shop());
        let mug = item("mug-1", &["mugs", "gifts"], Some("acme"));
        let policy = of(&mug);
        assert!(policy.enabled);
        assert_eq!(policy.choice.goal, Goal::Units, "the category that is named first");
        let (margin, step) = (policy.choice.margin_floor, policy.choice.step_max);
        assert_eq!((margin, step), (0.3, 0.02), "the other category says one alone, the brand one");
        assert_eq!(policy.market, plain.market);
        let names: Vec<String> = policies.scopes_of(&mug).iter().map(Scope::to_string).collect();
        let all = ["item:mug-1", "category:mugs", "category:gifts", "brand:acme", "shop"];
        assert_eq!(names, all);
        let gift = of(&item("mug-2", &["gifts", "mugs"], None));
        assert_eq!((gift.enabled, gift.choice.goal), (false, Goal::Revenue));
    }

    #[test]
    fn one_policy_for_all_is_that_policy() {
        let shop = PricePolicy { enabled: true, ..PricePolicy::default() };
        let policies = PricePolicies::from(shop.clone());
        assert_eq!(*policies.of(&item("pen", &["pens"], None)), shop);
    }

    proptest! {
        #[test]
        fn a_scope_is_what_is_written_of_it(text in "(item|category|brand|shop|x)?:?.{0,260}") {
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.to_string(), text);
            }
        }
    }

    #[test]
    fn what_names_no_scope_is_refused() {
        for text in
            ["", "shops", "item:", "category:", "brand:a\0b", "item:a\nb", "user:ada", "mugs"]
        {
            assert_eq!(text.parse::<Scope>(), Err(NoScope), "{text}");
        }
        assert!(format!("brand:{}", "é".repeat(200)).parse::<Scope>().is_ok());
        assert!(format!("brand:{}", "é".repeat(201)).parse::<Scope>().is_err());
        assert_eq!(scope("category:a:b"), Scope::Category("a:b".into()));
        let mug = item("mug-1", &["mugs"], Some("acme"));
        for (text, has) in [
            ("shop", true),
            ("item:mug-1", true),
            ("item:mug-2", false),
            ("category:mugs", true),
            ("brand:acme", true),
            ("brand:mugs", false),
        ] {
            assert_eq!(scope(text).has(&mug), has, "{text}");
        }
    }
}
