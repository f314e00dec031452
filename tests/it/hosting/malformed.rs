//! Bytes that no client should send: refused, and nobody else notices.

use std::time::Duration;

use proptest::prelude::*;
use prost::Message;
use prost::bytes::{Buf, BufMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use super::*;

/// Messages as the bytes they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

pub async fn send(channel: &Channel, path: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = path.parse().expect("a path");
    grpc.unary(tonic::Request::new(bytes), path, Raw).await.map(tonic::Response::into_inner)
}

/// RPCs of every kind: commands and queries, with ids, maps, enums and nested messages in their requests.
const PATHS: [&str; 12] = [
    "PutUserTaskDef",
    "PutWfSpec",
    "RunWf",
    "GetWfRun",
    "GetNodeRun",
    "ListVariables",
    "SearchWfRun",
    "SearchUserTaskRun",
    "AssignUserTaskRun",
    "CompleteUserTaskRun",
    "SaveUserTaskRunProgress",
    "PutTenant",
];

fn path(rpc: &str) -> String {
    format!("/littlehorse.LittleHorse/{rpc}")
}

#[test]
fn random_messages_never_break_the_engine() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ground = Ground::new();
    let handle = ground.start();
    let channel = runtime.block_on(over_tcp(&handle));
    // Field numbers and wire types that exist, so that most of it gets past the parser.
    let field =
        (1u8..12, prop_oneof![Just(0u8), Just(2u8), Just(1u8), Just(5u8)], prop::collection::vec(any::<u8>(), 0..24));
    let message = prop::collection::vec(field, 0..8).prop_map(|fields| {
        let mut bytes = Vec::new();
        for (number, wire, content) in fields {
            bytes.push(number << 3 | wire);
            if wire == 2 {
                bytes.push(content.len() as u8);
            }
            bytes.extend(content);
        }
        bytes
    });
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(rpc in 0..PATHS.len(), bytes in message)| {
        let answer = runtime.block_on(send(&channel, &path(PATHS[rpc]), bytes));
        if let Err(status) = answer {
            // A torn connection would be UNKNOWN or UNAVAILABLE.
            prop_assert!(!matches!(status.code(), Code::Unknown | Code::Unavailable | Code::DataLoss | Code::Internal), "{status:?}");
        }
    });
    let works = runtime.block_on(client(channel).put_user_task_def(form("after")));
    assert_eq!(works.unwrap().into_inner().version, 0);
    runtime.block_on(handle.stop());
}

#[tokio::test]
async fn a_message_of_a_hundred_thousand_levels_is_refused() {
    let ground = Ground::new();
    let handle = ground.start();
    let channel = over_tcp(&handle).await;
    // Field 2 of a WfRunId is its parent, a WfRunId again.
    let mut nested = Vec::new();
    while nested.len() < 100_000 {
        let mut outer = vec![2 << 3 | 2];
        prost::encoding::encode_varint(nested.len() as u64, &mut outer);
        outer.extend(nested);
        nested = outer;
    }
    let refused = send(&channel, &path("GetWfRun"), nested).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("The request cannot be read: "), "{refused:?}");
    let alive = send(&channel, &path("GetServerVersion"), Vec::new()).await.unwrap();
    assert_eq!(ostler::api::littlehorse::LittleHorseVersion::decode(alive.as_slice()).unwrap().major_version, 1);
    handle.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_dropped() {
    let ground = Ground::new();
    let handle = ground.start();
    let address = handle.listen().unwrap();
    let noise: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        &[0; 4096],
    ];
    for bytes in noise {
        let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
        line.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // Closed by the server, with or without a word.
        let closed = tokio::time::timeout(PATIENCE, line.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "still open after {bytes:?}");
    }
    // One that says nothing and one that says half are not in anybody's way.
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    client(over_tcp(&handle).await).get_server_version(()).await.unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(5), handle.stop()).await;
    assert!(stopped.is_ok(), "half a client holds the end up");
    drop((silent, half));
}
