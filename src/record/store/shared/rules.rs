//! The merchandiser's rules.

use super::super::{
    StoreError,
    rows::{self, RuleRow, to_json},
};
use crate::domain::{RuleId, StoredRules, Timestamp};
use async_trait::async_trait;

/// The order of writers: whoever changes rules has this row.
const NEXT_RULES_REVISION: &str = "update rule_changes set revision = revision + 1";
const RULES_REVISION: &str = "select revision from rule_changes";
const COUNT_RULES: &str = "select count(*) from rules where rule_id <> $1";
const WRITE_RULE: &str = "insert into rules (rule_id, body, updated_ms) values ($1, $2, $3) \
     on conflict (rule_id) do update set body = excluded.body, updated_ms = excluded.updated_ms";
const REMOVE_RULE: &str = "delete from rules where rule_id = $1";
const HAS_RULE: &str = "select count(*) from rules where rule_id = $1";
const RULES: &str = "select rule_id, body, updated_ms from rules order by rule_id";

/// The merchandiser's rules.
#[async_trait]
pub trait Rules: Send + Sync {
    /// Writes a rule, or removes it if there is no body; answers whether it was there before. A new one is
    /// refused with `None` if there are `rules_max` already.
    async fn change_rule(
        &self,
        rule: &RuleId,
        body: Option<&serde_json::Value>,
        at: Timestamp,
        rules_max: u32,
    ) -> Result<Option<bool>, StoreError>;

    /// All rules; `None` if nothing has changed since the revision that is `known`.
    async fn rules(&self, known: i64) -> Result<Option<StoredRules>, StoreError>;
}

super::for_both! {
    impl Rules {
        async fn change_rule(
            &self,
            rule: &RuleId,
            body: Option<&serde_json::Value>,
            at: Timestamp,
            rules_max: u32,
        ) -> Result<Option<bool>, StoreError> {
            let failed = || StoreError::while_doing("change a rule");
            let mut transaction = self.begin().await?;
            sqlx::query(NEXT_RULES_REVISION).execute(&mut *transaction).await.map_err(failed())?;
            let had: i64 = sqlx::query_scalar(HAS_RULE)
                .bind(rule.as_str())
                .fetch_one(&mut *transaction)
                .await
                .map_err(failed())?;
            if let Some(body) = body {
                let others: i64 = sqlx::query_scalar(COUNT_RULES)
                    .bind(rule.as_str())
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(failed())?;
                if others >= i64::from(rules_max) {
                    return Ok(None);
                }
                sqlx::query(WRITE_RULE)
                    .bind(rule.as_str())
                    .bind(to_json(body))
                    .bind(at.0)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            } else {
                sqlx::query(REMOVE_RULE)
                    .bind(rule.as_str())
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            }
            transaction.commit().await.map_err(StoreError::while_doing("commit"))?;
            Ok(Some(had > 0))
        }

        async fn rules(&self, known: i64) -> Result<Option<StoredRules>, StoreError> {
            let failed = || StoreError::while_doing("read rules");
            let pool = self.readers();
            let revision: i64 =
                sqlx::query_scalar(RULES_REVISION).fetch_one(pool).await.map_err(failed())?;
            if revision == known {
                return Ok(None);
            }
            // Read after the revision: what changes in between is read again next time.
            let found: Vec<RuleRow> = sqlx::query_as(RULES).fetch_all(pool).await.map_err(failed())?;
            Ok(Some(StoredRules { revision, rules: rows::all(found)? }))
        }
    }
}
