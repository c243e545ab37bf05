//! What the shop's people lay down: rules for lists, policies for prices.

use super::super::{
    StoreError,
    rows::{self, DirectiveRow, to_json},
};
use crate::domain::{DirectiveKind, StoredDirectives, Timestamp};
use async_trait::async_trait;

/// What is said of one kind.
struct Words {
    /// The order of writers: whoever changes something has this row.
    next_revision: &'static str,
    revision: &'static str,
    count_others: &'static str,
    write: &'static str,
    remove: &'static str,
    body: &'static str,
    all: &'static str,
}

const RULES: Words = Words {
    next_revision: "update rule_changes set revision = revision + 1",
    revision: "select revision from rule_changes",
    count_others: "select count(*) from rules where rule_id <> $1",
    write: "insert into rules (rule_id, body, updated_ms) values ($1, $2, $3) \
        on conflict (rule_id) do update set body = excluded.body, updated_ms = excluded.updated_ms",
    remove: "delete from rules where rule_id = $1",
    body: "select body from rules where rule_id = $1",
    all: "select rule_id as name, body, updated_ms from rules order by rule_id",
};

const PRICE_POLICIES: Words = Words {
    next_revision: "update price_policy_changes set revision = revision + 1",
    revision: "select revision from price_policy_changes",
    count_others: "select count(*) from price_policies where scope <> $1",
    write: "insert into price_policies (scope, body, updated_ms) values ($1, $2, $3) \
        on conflict (scope) do update set body = excluded.body, updated_ms = excluded.updated_ms",
    remove: "delete from price_policies where scope = $1",
    body: "select body from price_policies where scope = $1",
    all: "select scope as name, body, updated_ms from price_policies order by scope",
};

fn words_of(kind: DirectiveKind) -> &'static Words {
    match kind {
        DirectiveKind::Rule => &RULES,
        DirectiveKind::PricePolicy => &PRICE_POLICIES,
    }
}

/// What the shop's people lay down.
#[async_trait]
pub trait Directives: Send + Sync {
    /// Writes a directive, or removes it if there is no body; answers whether it was there before. A new one is
    /// refused with `None` if there are `n_max` of its kind already.
    async fn change_directive(
        &self,
        named: (DirectiveKind, &str),
        body: Option<&serde_json::Value>,
        at: Timestamp,
        n_max: u32,
    ) -> Result<Option<bool>, StoreError>;

    /// All of a kind; `None` if nothing has changed since the revision that is `known`.
    async fn directives(
        &self,
        kind: DirectiveKind,
        known: i64,
    ) -> Result<Option<StoredDirectives>, StoreError>;
}

super::for_both! {
    impl Directives {
        async fn change_directive(
            &self,
            (kind, name): (DirectiveKind, &str),
            body: Option<&serde_json::Value>,
            at: Timestamp,
            n_max: u32,
        ) -> Result<Option<bool>, StoreError> {
            let (words, failed) = (words_of(kind), || StoreError::while_doing("change a directive"));
            let mut transaction = self.begin().await?;
            sqlx::query(words.next_revision).execute(&mut *transaction).await.map_err(failed())?;
            let before: Option<String> = sqlx::query_scalar(words.body)
                .bind(name)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed())?;
            let body = body.map(to_json);
            if body == before {
                // Nobody need read everything again.
                return Ok(Some(before.is_some()));
            }
            if let Some(body) = body {
                let others: i64 = sqlx::query_scalar(words.count_others)
                    .bind(name)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(failed())?;
                if others >= i64::from(n_max) {
                    return Ok(None);
                }
                sqlx::query(words.write)
                    .bind(name)
                    .bind(body)
                    .bind(at.0)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            } else {
                sqlx::query(words.remove)
                    .bind(name)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            }
            transaction.commit().await.map_err(StoreError::while_doing("commit"))?;
            Ok(Some(before.is_some()))
        }

        async fn directives(
            &self,
            kind: DirectiveKind,
            known: i64,
        ) -> Result<Option<StoredDirectives>, StoreError> {
            let (words, failed) = (words_of(kind), || StoreError::while_doing("read directives"));
            let pool = self.readers();
            let revision: i64 =
                sqlx::query_scalar(words.revision).fetch_one(pool).await.map_err(failed())?;
            if revision == known {
                return Ok(None);
            }
            // Read after the revision: what changes in between is read again next time.
            let found: Vec<DirectiveRow> =
                sqlx::query_as(words.all).fetch_all(pool).await.map_err(failed())?;
            Ok(Some(StoredDirectives { revision, directives: rows::all(found)? }))
        }
    }
}
