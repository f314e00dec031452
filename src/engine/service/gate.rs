//! What every call passes before a service sees it: the tenant of the caller, and a refusal in words.
//!
//! The rules and texts for tenants are LittleHorse's. Unlike there, a refusal never carries the caller's own request
//! headers back: its token would be among them.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::engine::core::read::DEFAULT_TENANT;
use crate::engine::core::{Actor, Channel, access, query};
use crate::engine::service::Peer;
use crate::engine::writer::Engine;

/// The header that names the tenant.
const TENANT: &str = "tenantid";

/// Where the RPCs of the LittleHorse service are.
const LITTLEHORSE: &str = "/littlehorse.LittleHorse/";

/// What the generated code says of an RPC without a function, and of a path without an RPC.
const STUBS: [&str; 2] = ["Not yet implemented", ""];

/// Who calls, as the gate found out; stands in the extensions of every request that passed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The tenant it calls for; it exists.
    pub tenant: String,
    /// Who it is and how that was proven.
    pub actor: Actor,
    /// The address that task workers can reach the host at.
    pub address: Option<SocketAddr>,
}

impl Caller {
    /// The caller of a request that passed the gate.
    pub fn of<M>(request: &tonic::Request<M>) -> Result<Self, Status> {
        request.extensions().get().cloned().ok_or_else(|| Status::internal("the call did not pass the gate"))
    }
}

/// Puts a [`Gate`] before a service.
#[derive(Clone)]
pub struct GateLayer {
    engine: Engine,
}

impl GateLayer {
    /// A gate that looks tenants up in `engine`.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

/// How tonic begins what it says of bytes that are no message.
const BROKEN: [&str; 2] = ["failed to decode Protobuf message", "protocol error"];

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, engine: self.engine.clone() }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub struct Gate<S> {
    inner: S,
    engine: Engine,
}

impl<S> Gate<S> {
    fn admit<B>(&self, request: &Request<B>) -> Result<Caller, Status> {
        let tenant = tenant(request.headers()).ok_or_else(refused)?;
        let snapshot = self.engine.snapshot().map_err(|fault| super::status(fault.into()))?;
        if !query::tenant_exists(&snapshot, &tenant).map_err(super::status)? {
            return Err(refused());
        }
        // A call without an actor came past every listener: nothing is known of it.
        let unknown = || Peer { actor: Actor { channel: Channel::Tcp, ..Default::default() }, ..Default::default() };
        let Peer { actor, address } = request.extensions().get().cloned().unwrap_or_else(unknown);
        if let Some(rpc) = request.uri().path().strip_prefix(LITTLEHORSE) {
            access::check(&snapshot, &tenant, &actor, rpc).map_err(super::status)?;
        }
        Ok(Caller { tenant, actor, address })
    }
}

impl<S, B> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.admit(&request) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                let path = request.uri().path().to_owned();
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(in_words(answer.await?, &path)) })
            }
            Err(status) => Box::pin(ready(Ok(status.into_http()))),
        }
    }
}

fn refused() -> Status {
    Status::permission_denied("Tenant not allowed")
}

/// The tenant that the headers name: the last one counts, blanks around it do not. Nothing for an empty name or one
/// that is not text: such a tenant cannot exist.
fn tenant(headers: &HeaderMap) -> Option<String> {
    match headers.get_all(TENANT).iter().next_back() {
        None => Some(DEFAULT_TENANT.to_owned()),
        Some(value) => value.to_str().ok().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned),
    }
}

/// Says what tonic and the generated stubs answer by themselves in words that help. Every other answer passes as it
/// is.
fn in_words(answer: Response<Body>, path: &str) -> Response<Body> {
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() == Code::Unimplemented && STUBS.contains(&status.message()) => {
            let said = match path.strip_prefix(LITTLEHORSE) {
                Some(rpc) => format!("ostler's engine does not have {rpc}; a LittleHorse server may"),
                None => format!("ostler's engine does not serve {path} on this address"),
            };
            Status::unimplemented(said).into_http()
        }
        // What is in the request is the client's, not ours.
        Some(status) if status.code() == Code::Internal && BROKEN.iter().any(|at| status.message().starts_with(at)) => {
            Status::invalid_argument(format!("The request cannot be read: {}", status.message())).into_http()
        }
        Some(status) if status.code() == Code::OutOfRange => {
            match status.message().strip_prefix("Error, decoded message length too large: found ") {
                Some(rest) => {
                    let found: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    let limit = super::LARGEST_MESSAGE;
                    Status::resource_exhausted(format!("gRPC message exceeds maximum size {limit}: {found}"))
                        .into_http()
                }
                None => answer,
            }
        }
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_last_tenant_counts() {
        let table: [(&[&[u8]], Option<&str>); 8] = [
            (&[], Some("default")),
            (&[b"acme"], Some("acme")),
            (&[b"  acme "], Some("acme")),
            (&[b"acme", b"acme"], Some("acme")),
            (&[b"acme", b"other"], Some("other")),
            (&[b""], None),
            (&[b"acme", b" "], None),
            (&[b"\xff"], None),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TENANT, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(tenant(&headers).as_deref(), expected, "{values:?}");
        }
    }

    fn said(status: Status, path: &str) -> (Code, String) {
        let answer = in_words(status.into_http(), path);
        let status = Status::from_header_map(answer.headers()).unwrap();
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn what_is_not_built_says_so() {
        let stub = || Status::unimplemented("Not yet implemented");
        let (code, text) = said(stub(), "/littlehorse.LittleHorse/PutTaskDef");
        assert_eq!(
            (code, text.as_str()),
            (Code::Unimplemented, "ostler's engine does not have PutTaskDef; a LittleHorse server may",)
        );
        assert_eq!(
            said(Status::unimplemented(""), "/ostler.v1.Ostler/GetHost").1,
            "ostler's engine does not serve /ostler.v1.Ostler/GetHost on this address"
        );
        let node = "node sleep";
        assert_eq!(said(Status::unimplemented(node), "/littlehorse.LittleHorse/PutWfSpec").1, node);
    }

    #[test]
    fn a_message_too_large_to_read_says_the_limit() {
        let tonic = "Error, decoded message length too large: found 5000000 bytes, the limit is: 4194304 bytes";
        assert_eq!(
            said(Status::out_of_range(tonic), "/any"),
            (Code::ResourceExhausted, "gRPC message exceeds maximum size 4194304: 5000000".to_owned())
        );
        assert_eq!(said(Status::out_of_range("other"), "/any"), (Code::OutOfRange, "other".to_owned()));
    }
}
