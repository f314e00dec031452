//! The listeners of a host: the Unix socket, the pipe inside the process, and TCP when it was asked for.

use std::io;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;

use super::PATIENCE;
use crate::engine::core::{Actor, Channel, Proof};
use crate::engine::service::{Connection, Peer, Services};

/// How long to wait after a connection could not be accepted: without it, a process out of file descriptors would
/// spin.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Where calls come in.
pub(super) struct Listeners {
    unix: UnixListener,
    tcp: Option<TcpListener>,
    pipes: mpsc::Receiver<DuplexStream>,
    user: String,
}

impl Listeners {
    /// Takes listeners that are bound and do not block; must be called inside the runtime that will serve them.
    pub(super) fn new(
        unix: std::os::unix::net::UnixListener,
        tcp: Option<std::net::TcpListener>,
        pipes: mpsc::Receiver<DuplexStream>,
        user: String,
    ) -> io::Result<Self> {
        let tcp = tcp.map(TcpListener::from_std).transpose()?;
        Ok(Self { unix: UnixListener::from_std(unix)?, tcp, pipes, user })
    }

    /// Serves until `closing` holds true, then `withdraw`s and gives calls in flight a moment to end.
    pub(super) async fn serve(self, services: Services, mut closing: watch::Receiver<bool>, withdraw: impl FnOnce()) {
        let Self { unix, tcp, pipes, user } = self;
        let address = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
        let actor = Actor { name: user.clone(), proof: Proof::PeerUid, channel: Channel::InProcess };
        let myself = Peer { actor, address };
        let pipes = ReceiverStream::new(pipes).map(move |pipe| Ok(Connection::new(pipe, myself.clone())));
        let unix = accepted(UnixListenerStream::new(unix), move |stream| {
            let actor = peer(&stream, &user);
            Connection::new(stream, Peer { actor, address })
        });
        let tcp = tcp.map(|tcp| accepted(TcpListenerStream::new(tcp), remote));

        let mut open = tokio::task::JoinSet::new();
        open.spawn(answer(services.clone(), Api::Local, pipes, closing.clone()));
        open.spawn(answer(services.clone(), Api::Local, unix, closing.clone()));
        if let Some(tcp) = tcp {
            open.spawn(answer(services, Api::Public, tcp, closing.clone()));
        }

        // An error means that the handle is gone, which asks for the same.
        let _ = closing.wait_for(|closing| *closing).await;
        withdraw();
        let ended = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            tracing::warn!("some calls did not end in {PATIENCE:?} and were cut off");
        }
    }
}

/// Which services a listener offers.
#[derive(Clone, Copy)]
enum Api {
    /// The LittleHorse API.
    Public,
    /// That and `ostler.v1`.
    Local,
}

async fn answer<S>(
    services: Services,
    api: Api,
    incoming: impl Stream<Item = io::Result<Connection<S>>>,
    mut closing: watch::Receiver<bool>,
) where
    Connection<S>: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let routes = match api {
        Api::Public => services.public(),
        Api::Local => services.local(),
    };
    let closed = async move {
        let _ = closing.wait_for(|closing| *closing).await;
    };
    let served = Server::builder()
        .layer(services.gate())
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, closed)
        .await;
    if let Err(error) = served {
        tracing::error!("a listener ended: {error}");
    }
}

/// The connections of a listener, each with whom `peer` finds at its other end.
fn accepted<S, T>(
    incoming: impl Stream<Item = io::Result<S>>,
    connection: impl Fn(S) -> T,
) -> impl Stream<Item = io::Result<T>> {
    incoming.then(pause_after_error).map(move |stream| stream.map(&connection))
}

async fn pause_after_error<S>(stream: io::Result<S>) -> io::Result<S> {
    if let Err(error) = &stream {
        tracing::warn!("a connection could not be accepted: {error}");
        tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
    }
    stream
}

/// Whom the kernel names at the other end of the socket. The host's own person goes by the name it knows; nobody
/// else but root can open the socket.
fn peer(stream: &UnixStream, user: &str) -> Actor {
    let channel = Channel::UnixSocket;
    match stream.peer_cred() {
        Ok(peer) => {
            let name = match peer.uid() {
                uid if uid == rustix::process::geteuid().as_raw() => user.to_owned(),
                0 => "root".to_owned(),
                uid => format!("uid {uid}"),
            };
            Actor { name, proof: Proof::PeerUid, channel }
        }
        Err(_) => Actor { name: String::new(), proof: Proof::None, channel },
    }
}

/// Nobody is proven over TCP.
fn remote(stream: TcpStream) -> Connection<TcpStream> {
    // Without it small answers wait for the acknowledgement of the ones before; a socket that refuses is only slower.
    let _ = stream.set_nodelay(true);
    let actor = Actor { name: String::new(), proof: Proof::None, channel: Channel::Tcp };
    // What the caller dialled can be dialled again, whatever the listener is bound to.
    let address = stream.local_addr().ok();
    Connection::new(stream, Peer { actor, address })
}
