//! Which rules hold for prices now: the settings, and what the shop's people have laid down since.

use super::Pricing;
use crate::{
    decide::price::{PricePolicies, PricePolicy, PriceTerms, Scope, TermsChange},
    domain::{StoredDirective, StoredDirectives},
};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Keeps what holds at the latest revision.
pub struct PolicyBook {
    settings: (PricePolicy, PriceTerms),
    known: ArcSwap<(i64, Arc<PricePolicies>)>,
}

impl PolicyBook {
    /// By the settings alone: a policy and the terms that it was made from.
    pub fn new(policy: PricePolicy, terms: PriceTerms) -> Self {
        let policies = Arc::new(PricePolicies::new((policy.clone(), terms.clone()), []));
        Self { settings: (policy, terms), known: ArcSwap::from_pointee((0, policies)) }
    }

    fn of(&self, stored: &StoredDirectives) -> Arc<PricePolicies> {
        let known = self.known.load();
        if known.0 == stored.revision {
            return known.1.clone();
        }
        let changes = stored.directives.iter().filter_map(change_of);
        let policies = Arc::new(PricePolicies::new(self.settings.clone(), changes));
        self.known.store(Arc::new((stored.revision, policies.clone())));
        policies
    }
}

/// What cannot be read (a later version wrote it, say) is left out, and the log says so.
fn change_of(stored: &StoredDirective) -> Option<(Scope, TermsChange)> {
    let scope = stored.name.parse::<Scope>().map_err(|error| error.to_string());
    let change = serde_json::from_value(stored.body.clone()).map_err(|error| error.to_string());
    let read = scope.and_then(|scope| Ok((scope, change?)));
    read.inspect_err(|error| {
        let scope = &stored.name;
        tracing::warn!(scope, error, "a price policy cannot be read and is not applied");
    })
    .ok()
}

impl Pricing {
    /// The rules that hold now.
    pub fn policies(&self) -> Arc<PricePolicies> {
        self.policies.of(&self.live.price_policies.load())
    }

    /// The terms of the settings, upon which everything is laid down.
    pub fn settings(&self) -> &PriceTerms {
        &self.policies.settings.1
    }

    /// Rises with every change of them.
    pub fn policies_revision(&self) -> i64 {
        self.live.price_policies.load().revision
    }
}
