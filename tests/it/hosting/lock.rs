//! One host a data directory.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;

use ostler::engine::host::{DirectoryError, LOCK_FILE, StartError};

use super::*;

#[tokio::test]
async fn the_second_host_learns_of_the_first_and_may_follow_it() {
    let ground = Ground::new();
    let first = ground.start();
    match host::start(ground.options()) {
        Err(StartError::Locked { holder: Some(holder), .. }) => {
            assert_eq!(holder.pid, std::process::id());
            assert_eq!(holder.socket, first.socket());
            assert_eq!(holder.listen, first.listen().map(|address| address.to_string()));
        }
        other => panic!("{other:?}"),
    }
    let socket = first.socket().to_owned();
    client(over_pipe(&first).await).put_user_task_def(form("kept")).await.unwrap();
    let pipe = first.pipe();
    first.stop().await;
    assert!(!socket.exists());
    assert!(pipe.connect().await.is_err());
    let second = ground.start();
    assert_eq!(second.socket(), socket);
    client(over_socket(&socket).await).get_user_task_def(form_id("kept")).await.unwrap();
    second.stop().await;
}

#[tokio::test]
async fn a_dropped_handle_stops_its_host() {
    let ground = Ground::new();
    drop(ground.start());
    let again = async {
        loop {
            match host::start(ground.options()) {
                Err(StartError::Locked { .. }) => tokio::task::yield_now().await,
                other => break other,
            }
        }
    };
    let again = tokio::time::timeout(PATIENCE, again).await.expect("the lock is let go").expect("a host");
    again.stop().await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let ground = Ground::new();
    let handle = ground.start();
    let socket = handle.socket().to_owned();
    handle.stop().await;
    drop(UnixListener::bind(&socket).unwrap());
    let handle = ground.start();
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(ground.data()).unwrap().mode() & 0o777, 0o700);
    client(over_socket(&socket).await).whoami(()).await.unwrap();
    handle.stop().await;
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_refused_and_holds_nothing() {
    let ground = Ground::new();
    let any = Options { listen: Some(SocketAddr::from(([0, 0, 0, 0], 2023))), ..ground.options() };
    match host::start(any) {
        Err(error @ StartError::NotLoopback(_)) => assert!(error.to_string().contains("127.0.0.1:2023"), "{error}"),
        other => panic!("{other:?}"),
    }
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = Options { listen: held.local_addr().ok(), ..ground.options() };
    assert!(matches!(host::start(taken), Err(StartError::Listen { .. })));
    ground.start().stop().await;
}

#[tokio::test]
async fn a_directory_with_other_files_is_left_alone() {
    let ground = Ground::new();
    std::fs::create_dir(ground.data()).unwrap();
    std::fs::write(ground.data().join("letter"), "x").unwrap();
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(ground.data(), mode(0o755)).unwrap();
    assert!(matches!(host::start(ground.options()), Err(StartError::Directory(DirectoryError::ForeignContent { .. }))));
    assert!(!ground.data().join(LOCK_FILE).exists());
}
