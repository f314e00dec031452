//! The engine behind its listeners: what clients see of it, and how hosts follow each other.

mod command_line;
mod events;
mod examples;
mod hostile;
mod lock;
mod malformed;
mod services;
mod takeover;
mod workers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use ostler::engine::host::{self, Handle, Options};
use tonic::transport::{Channel, Endpoint, Uri};

/// Nothing here takes nearly as long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that goes away with the test, with a data directory and one for sockets in it.
struct Ground {
    root: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a directory") }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn sockets(&self) -> PathBuf {
        self.root.path().join("run")
    }

    fn options(&self) -> Options {
        Options {
            data_dir: self.data(),
            socket_dir: Some(self.sockets()),
            listen: None,
            metrics: None,
            retention: None,
            user: "amy".to_owned(),
            throwaway: false,
            allow_network_fs: true,
        }
    }

    fn listening(&self) -> Options {
        Options { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..self.options() }
    }

    fn start(&self) -> Handle {
        host::start(self.listening()).expect("a host")
    }
}

/// The three ways in.
async fn over_tcp(handle: &Handle) -> Channel {
    let address = handle.listen().expect("a TCP address");
    Endpoint::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("a connection")
}

async fn over_socket(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let dial = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://socket").connect_with_connector(dial).await.expect("a connection")
}

async fn over_pipe(handle: &Handle) -> Channel {
    let pipe = handle.pipe();
    let dial = tower::service_fn(move |_: Uri| {
        let pipe = pipe.clone();
        async move { pipe.connect().await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://pipe").connect_with_connector(dial).await.expect("a connection")
}

fn client(channel: Channel) -> LittleHorseClient<Channel> {
    LittleHorseClient::new(channel)
}

/// A form with one field.
fn form(name: &str) -> lh::PutUserTaskDefRequest {
    lh::PutUserTaskDefRequest {
        name: name.to_owned(),
        fields: vec![lh::UserTaskField {
            name: "answer".to_owned(),
            r#type: lh::VariableType::Str.into(),
            display_name: "Answer".to_owned(),
            ..Default::default()
        }],
        description: None,
    }
}

fn form_id(name: &str) -> lh::UserTaskDefId {
    lh::UserTaskDefId { name: name.to_owned(), version: 0 }
}
