//! Makes the connection under a stream.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Error};

use super::Ending;
use crate::error_chain::words;

/// How long a connection may take to be made.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often an idle connection is probed; middleboxes forget silent ones after a minute or more.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a probe may stay unanswered before the connection counts as dead.
const KEEP_ALIVE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Turns an endpoint into a connection; a simulation brings its own network.
pub type Connect = Arc<dyn Fn(Endpoint) -> BoxFuture<'static, Result<Channel, Error>> + Send + Sync>;

/// Connects over TCP.
#[must_use]
pub fn over_tcp() -> Connect {
    Arc::new(|endpoint| async move { endpoint.connect().await }.boxed())
}

/// Connects to the centre.
pub(super) async fn connect(connect: &Connect, hub: &str) -> Result<Channel, Ending> {
    let endpoint = Endpoint::from_shared(hub.to_owned())
        .map_err(|error| Ending::Refused(format!("the centre's address {hub} cannot be used: {}", words(&error))))?
        .connect_timeout(CONNECT_WAIT_MAX)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_WAIT_MAX)
        .keep_alive_while_idle(true);
    match tokio::time::timeout(CONNECT_WAIT_MAX, connect(endpoint)).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(Ending::Lost(format!("the centre at {hub} cannot be reached: {}", words(&error)))),
        Err(_) => Err(Ending::Lost(format!("the centre at {hub} did not answer within 10 s"))),
    }
}

/// What a failed call means.
pub(super) fn failed(status: &tonic::Status) -> Ending {
    let said = format!("{}: {}", status.code().description(), status.message());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            Ending::Refused(format!("the centre does not let this agent in ({said}): check token_file and province"))
        }
        Code::Unimplemented => {
            Ending::Refused(format!("the centre's address answers, but not as the centre does ({said}): check hub"))
        }
        _ => Ending::Lost(format!("the stream broke off ({said})")),
    }
}
