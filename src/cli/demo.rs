//! A simulated shop to try everything on: made up, learned from, and served, without a network.

use super::{commands::say, stocking::stock};
use crate::{
    app::{self, App},
    config::{Config, DatabaseUrl},
    domain::{Clock, RunOutcome, SystemClock},
    learn::trainer::Occasion,
    simulate::{Showcase, SimulationParams, showcase, simulate},
};
use anyhow::Context;
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// What kind of shop to make up.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    /// Keep the shop in this folder; without it, it is gone when the demo ends.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Which of all shops.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// Makes up a shop, trains, serves, and says what to try.
pub(super) async fn demo(
    mut config: Config,
    arguments: DemoArguments,
    is_json: bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let temporary = tempfile::Builder::new().prefix("shopkeeper-demo").tempdir()?;
    config.storage.dir = arguments.dir.unwrap_or_else(|| temporary.path().to_owned());
    config.database.url = DatabaseUrl("sqlite".into());
    // The demo is a shop that has turned pricing on, so that there is something to see.
    config.pricing.enabled = true;
    // Nobody is there to approve its first run, which moves most prices.
    config.pricing.moved_share_max = 1.0;
    let store = app::open_store(&config).await?;
    let params = SimulationParams::new(arguments.seed, SystemClock.now());
    let simulation = tokio::task::spawn_blocking(move || simulate(&params)).await??;
    let is_new = store.last_sequence().await?.0 == 0;
    if is_new {
        stock(&*store, &simulation, params.end).await.context("cannot store the simulated shop")?;
    }
    let mut app = App::assemble(Arc::new(config.clone()), store, Arc::new(SystemClock)).await?;
    let run = app.trainer.train_once(Occasion::Asked, &CancellationToken::new()).await;
    anyhow::ensure!(run.outcome != RunOutcome::Failed, "training failed: {}", run.reason);
    drop(app);
    let (n_events, examples) = (simulation.events.len(), showcase(&simulation));
    app::serve(config, |address| {
        let seconds = begun.elapsed().as_secs_f64();
        if is_json {
            say(json!({ "listening": format!("http://{address}"), "seconds": seconds }));
            return;
        }
        say(format!("shopkeeper listens on http://{address}"));
        let made = if is_new { "made up" } else { "found in the folder" };
        say(format!(
            "A shop of {} items and {n_events} events was {made} and learned from in {seconds:.1} s. Try:",
            simulation.items.len()
        ));
        for line in things_to_try(address, &examples) {
            say(line);
        }
    })
    .await
}

/// Five things to try, with the address that the demo listens on.
fn things_to_try(address: SocketAddr, examples: &Showcase) -> Vec<String> {
    let url = format!("http://{address}");
    let Showcase { active_user, popular_item, category, price_item, .. } = examples;
    vec![
        "1. What a regular customer is shown, and why:".into(),
        format!("   curl '{url}/recommendations/{active_user}?n=3&explain=true'"),
        "2. Somebody new clicks; the next answer follows:".into(),
        format!(
            "   curl -H 'content-type: application/json' -d '{{\"user\": \"you\", \"item\": \"{popular_item}\"}}' '{url}/events/click'"
        ),
        format!("   curl '{url}/recommendations/you?n=3'"),
        "3. The same for one category:".into(),
        format!(
            "   curl -G --data-urlencode 'category={category}' '{url}/recommendations/{active_user}'"
        ),
        "4. A price, why it is what it is, and its history:".into(),
        format!("   curl '{url}/prices/{price_item}'"),
        format!("   curl '{url}/prices/{price_item}/explanation'"),
        format!("   curl '{url}/prices/{price_item}/history'"),
        "5. What was measured, and everything else there is:".into(),
        format!("   curl '{url}/models'"),
        format!("   {url}/docs in a browser"),
    ]
}
