//! Makes the connection under a stream.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tonic::Code;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error};

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

/// What came of connecting.
pub(crate) enum Reach {
    /// A connection.
    Made(Channel),
    /// The address or the certificates can never be used.
    Unusable(String),
    /// The centre was not reached this time.
    Failed(String),
}

/// Connects to the centre.
pub(crate) async fn reach(connect: &Connect, hub: &str, tls: Option<ClientTlsConfig>) -> Reach {
    let endpoint = Endpoint::from_shared(hub.to_owned()).and_then(|endpoint| match tls {
        Some(tls) => endpoint.tls_config(tls),
        None => Ok(endpoint),
    });
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(error) => return Reach::Unusable(format!("the centre's address {hub} cannot be used: {}", words(&error))),
    };
    let endpoint = endpoint
        .connect_timeout(CONNECT_WAIT_MAX)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_WAIT_MAX)
        .keep_alive_while_idle(true);
    match tokio::time::timeout(CONNECT_WAIT_MAX, connect(endpoint)).await {
        Ok(Ok(channel)) => Reach::Made(channel),
        Ok(Err(error)) => Reach::Failed(format!("the centre at {hub} cannot be reached: {}", words(&error))),
        Err(_) => Reach::Failed(format!("the centre at {hub} did not answer within 10 s")),
    }
}

/// Connects to the centre for a stream.
pub(super) async fn connect(connect: &Connect, hub: &str, tls: Option<ClientTlsConfig>) -> Result<Channel, Ending> {
    match reach(connect, hub, tls).await {
        Reach::Made(channel) => Ok(channel),
        Reach::Unusable(error) => Err(Ending::Refused(error)),
        Reach::Failed(error) => Err(Ending::Lost(error)),
    }
}

/// What a failed call means.
pub(super) fn failed(status: &tonic::Status) -> Ending {
    let said = format!("{}: {}", status.code().description(), status.message());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Ending::Refused(format!(
            "the centre does not let this agent in ({said}): check token_file or identity, and province"
        )),
        Code::Unimplemented => {
            Ending::Refused(format!("the centre's address answers, but not as the centre does ({said}): check hub"))
        }
        _ => Ending::Lost(format!("the stream broke off ({said})")),
    }
}
