//! A command on a store: through whoever hosts it, or by itself while nobody does.

use std::future::Future;
use std::path::Path;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use super::args::StoreArgs;
use super::exit::Failure;
use crate::api::ostler::v1::ostler_client::OstlerClient;
use crate::config::Config;
use crate::engine::host::{Holder, Offline, StartError};
use crate::engine::store::STORE_FILE;

/// Who has the store.
pub(super) enum Access {
    /// A host, to be asked.
    Host(Box<Holder>),
    /// Nobody else, as long as this is held.
    Alone(Offline),
}

/// Finds out who has the store of these arguments. A directory without one is not made.
pub(super) fn open(args: &StoreArgs) -> Result<Access, Failure> {
    let data_dir = Config::load(args.flags())?.data_dir.value;
    if !data_dir.join(STORE_FILE).exists() {
        return Err(Failure::NoStore(data_dir));
    }
    reach(&data_dir, args)
}

/// Finds out who has this data directory, which is made when it is missing.
pub(super) fn reach(data_dir: &Path, args: &StoreArgs) -> Result<Access, Failure> {
    match Offline::take(data_dir, args.allow_network_fs) {
        Ok(offline) => Ok(Access::Alone(offline)),
        Err(StartError::Locked { holder: Some(holder), .. }) => Ok(Access::Host(holder)),
        Err(error) => Err(error.into()),
    }
}

/// Takes the store for this command alone.
pub(super) fn alone(args: &StoreArgs) -> Result<Offline, Failure> {
    let config = Config::load(args.flags())?;
    Offline::take(&config.data_dir.value, args.allow_network_fs).map_err(|error| match error {
        locked @ StartError::Locked { .. } => Failure::InUse(locked.to_string()),
        other => other.into(),
    })
}

/// Asks a host something.
pub(super) fn ask<T, F>(holder: &Holder, call: impl FnOnce(OstlerClient<Channel>) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Other(format!("ostler cannot start: {error}")))?;
    runtime.block_on(async {
        let client = connect(&holder.socket).await.map_err(|error| {
            Failure::Other(format!("the ostler that hosts the store, process {}, does not answer: {error}", holder.pid))
        })?;
        call(client).await
    })
}

async fn connect(socket: &Path) -> Result<OstlerClient<Channel>, tonic::transport::Error> {
    let socket = socket.to_owned();
    let dial = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    // The name is never looked up; it only fills the place of the host in each request.
    let channel = Endpoint::from_static("http://ostler.localhost").connect_with_connector(dial).await?;
    Ok(OstlerClient::new(channel))
}

/// What a host said no with.
pub(super) fn refused(status: &Status) -> Failure {
    match status.code() {
        tonic::Code::Unimplemented => Failure::Refused(
            "the ostler that hosts the store is older and cannot do this; stop it, or start it again".to_owned(),
        ),
        _ => Failure::Refused(format!("the ostler that hosts the store refused: {}", status.message())),
    }
}
