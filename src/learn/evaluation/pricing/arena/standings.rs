//! Who earns how much of what could be earned.

use super::{
    fixed::{CostPlus, Keep, Match, Oracle},
    learned::{CertaintyEquivalent, Learner, Regression, Thompson},
    season::{Policy, Season, play},
    shop::{ArenaParams, Shop},
    told::Told,
};
use crate::learn::{
    demand::response::ResponseParams, evaluation::Estimate, recommenders::FitError,
};
use rayon::prelude::*;

/// Last weeks that tell what a policy has come to: a quarter of a year.
const LATE_WEEKS: usize = 13;

/// Opens a shop under a policy.
type Begin<'a> = dyn Fn(&Shop) -> Box<dyn Policy> + Sync + 'a;

/// A policy by its name, new for every shop.
pub struct Contender<'a> {
    name: String,
    begin: Box<Begin<'a>>,
}

impl<'a> Contender<'a> {
    /// A policy that `begin` makes when a shop opens.
    pub fn new<P: Policy + 'static>(
        name: impl Into<String>,
        begin: impl Fn(&Shop) -> P + Sync + 'a,
    ) -> Self {
        Self { name: name.into(), begin: Box::new(move |shop| Box::new(begin(shop))) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The usual ways to set prices, the product's model of demand under two simple ones, and one that is told what no
/// shop knows.
pub fn textbook_contenders(params: ResponseParams) -> Vec<Contender<'static>> {
    let learner = move || Learner::new(params);
    vec![
        Contender::new("keep prices", |_: &Shop| Keep),
        Contender::new("cost x 1.6", |_: &Shop| CostPlus(1.6)),
        Contender::new("competitor -1 %", |_: &Shop| Match(0.99)),
        Contender::new("elasticity -2.5 for all", |_: &Shop| CostPlus::of_elasticity(-2.5)),
        Contender::new("regression of log(q + 0.5)", |_: &Shop| Regression::default()),
        Contender::new("pooled counts, mean", move |_: &Shop| CertaintyEquivalent(learner())),
        Contender::new("pooled counts, Thompson", move |shop: &Shop| {
            Thompson::new(learner(), shop.seed())
        }),
        Contender::new("told all but own demand", Told::new),
    ]
}

/// What a policy earned at one volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The policy.
    pub policy: String,
    /// Units that the median item sells in a week at the merchant's price.
    pub units_per_week: f64,
    /// Share of the oracle's profit over all decision weeks; mean and standard error over seeds.
    pub share: Estimate,
    /// The same over the last quarter of a year.
    pub late_share: Estimate,
    /// Least ratio of a week's profit to that of keeping prices, over all weeks of all seeds.
    pub worst_week: f64,
    /// Share of the oracle's profit by seed.
    pub by_seed: Vec<f64>,
}

/// Lets every contender run the same shops: one for each volume and seed.
///
/// # Errors
///
/// The first that a contender's fit came to.
pub fn standings(
    params: &ArenaParams,
    volumes: &[f64],
    seeds: &[u64],
    contenders: &[Contender<'_>],
) -> Result<Vec<Standing>, FitError> {
    let shops: Vec<(f64, Shop)> = volumes
        .iter()
        .flat_map(|&volume| {
            seeds.iter().map(move |&seed| (volume, Shop::new(params, volume, seed)))
        })
        .collect();
    let marks = shops.par_iter().map(|(_, shop)| {
        let oracle = play(shop, &mut Oracle::new(shop))?;
        Ok((oracle, play(shop, &mut Keep)?))
    });
    let marks = marks.collect::<Result<Vec<_>, FitError>>()?;
    // Policies that learn come last in the list and take longest: begun first, they leave no thread idle at the end.
    let games: Vec<(usize, usize)> = (0..contenders.len())
        .rev()
        .flat_map(|at| (0..shops.len()).map(move |shop| (at, shop)))
        .collect();
    let seasons = games.par_iter().with_max_len(1).map(|&(at, shop)| {
        let shop = &shops[shop].1;
        play(shop, &mut *(contenders[at].begin)(shop))
    });
    let seasons = seasons.collect::<Result<Vec<_>, FitError>>()?;
    let season =
        |at: usize, shop: usize| &seasons[(contenders.len() - 1 - at) * shops.len() + shop];
    let mut standings = Vec::with_capacity(contenders.len() * volumes.len());
    for (volume_at, &units_per_week) in volumes.iter().enumerate() {
        for (at, contender) in contenders.iter().enumerate() {
            let of_volume = volume_at * seeds.len()..(volume_at + 1) * seeds.len();
            let games: Vec<Game<'_>> = of_volume
                .map(|shop| Game { season: season(at, shop), marks: &marks[shop] })
                .collect();
            standings.push(standing(contender.name(), units_per_week, &games));
        }
    }
    Ok(standings)
}

/// A season beside the oracle's and that of keeping prices.
struct Game<'a> {
    season: &'a Season,
    marks: &'a (Season, Season),
}

impl Game<'_> {
    fn share(&self, n_weeks: usize) -> f64 {
        let sum = |season: &Season| season.profits.iter().rev().take(n_weeks).sum::<f64>();
        sum(self.season) / sum(&self.marks.0)
    }

    fn worst_week(&self) -> f64 {
        let weeks = self.season.profits.iter().zip(&self.marks.1.profits);
        weeks.map(|(own, kept)| own / kept).fold(f64::INFINITY, f64::min)
    }
}

fn standing(policy: &str, units_per_week: f64, games: &[Game<'_>]) -> Standing {
    let shares =
        |n_weeks: usize| -> Vec<f64> { games.iter().map(|game| game.share(n_weeks)).collect() };
    let by_seed = shares(usize::MAX);
    Standing {
        policy: policy.to_owned(),
        units_per_week,
        share: Estimate::of(&by_seed),
        late_share: Estimate::of(&shares(LATE_WEEKS)),
        worst_week: games.iter().map(Game::worst_week).fold(f64::INFINITY, f64::min),
        by_seed,
    }
}
