//! What the law of a market lets be said of a price: the prior price, and reductions measured against it.
//!
//! A shop that announces a reduction must compare with the lowest price of the 30 days before it, and take the
//! percentage of that price, too (Directive 98/6/EC, Article 6a, as inserted by Directive (EU) 2019/2161; Court of
//! Justice of the EU, C-330/23, Aldi Süd, 26 September 2024). States may deviate for perishables, for goods that are
//! new on the market and for reductions that grow step by step, so a market is a row of a table ([`MarketLaw`]) that
//! a merchant can replace. What was asked, and when, is the ledger: half-open spans of time with a price.
//!
//! | question | file |
//! | --- | --- |
//! | which rules does a market have | [`market`], with the table in [`table`] |
//! | what was the lowest price before a reduction | [`prior`], over the ledger that `history` puts in order |
//! | may a reduction be announced, of how much, and from when | [`mod@announce`] |
//! | what day it is there | [`zone`] |
//!
//! **This is not legal advice.** The table says what its author read, and no more: a merchant checks the rows of the
//! markets that they sell in. Where a source was silent, the row takes the careful side and says so in its
//! [`basis`](MarketLaw::basis).
//!
//! Deliberately not here: prices for members only, which the Commission treats apart (Notice 2021/C 526/02), and
//! personal prices, which this service does not make. The ledger holds what everybody could pay: a coupon for all is an
//! entry of it, a member's price is not.

pub mod announce;
mod history;
pub mod market;
pub mod prior;
pub mod table;
pub mod zone;

pub use announce::{
    AnnounceContext, Announcement, AnnouncementKind, Audience, LawNote, Percent, announce,
    announceable_from,
};
pub use market::{AdvertisedMinimum, LawError, MarketLaw, NewGoods};
pub use prior::{PriorPrice, prior_price};
pub use table::LawTable;
pub use zone::Zone;
