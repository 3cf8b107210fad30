//! A plan that is carried out while what comes behind it is looked at: only what the plan changes must be waited for.

use hub_rules::changes::Changes;
use hub_rules::{Context, Inquiry, Plan};
use hub_store::model::Applied;
use hub_store::{NationalStore, StoreError};
use tokio::task::JoinHandle;

/// A plan that is being carried out. Dropping it does not stop that.
pub(crate) struct Underway {
    changes: Changes,
    commit: JoinHandle<Result<(), StoreError>>,
}

impl Underway {
    /// Begins to carry out a plan; the context is the one from which it was decided.
    pub(crate) fn begin<S: NationalStore + 'static>(store: S, plan: Plan, applied: Applied, context: &Context) -> Self {
        let changes = Changes::of(&plan, context);
        Self { changes, commit: tokio::spawn(async move { store.commit(plan, applied).await }) }
    }

    /// Waits until it is carried out.
    pub(crate) async fn carried_out(&mut self) -> Result<(), StoreError> {
        (&mut self.commit).await.unwrap_or(Err(StoreError::Closed))
    }
}

/// Loads what a batch reaches, on top of what the context holds already, as it will be when the plan before it is carried
/// out. That one is taken when it had to be waited for; whether the plan failed is the error.
pub(crate) async fn inquire<S: NationalStore>(
    store: &S,
    inquiry: &mut Inquiry<'_>,
    mut context: Context,
    before: &mut Option<Underway>,
) -> Result<Context, StoreError> {
    loop {
        let mut request = inquiry.missing(&context);
        if request.is_empty() {
            return Ok(context);
        }
        if let Some(plan) = before {
            let concerned = plan.changes.take_from(&mut request);
            if !request.is_empty() {
                context = store.load(request, context).await?;
            }
            if concerned.is_empty() {
                continue;
            }
            let carried_out = plan.carried_out().await;
            *before = None;
            carried_out?;
            request = concerned;
        }
        context = store.load(request, context).await?;
    }
}
