//! The gateway itself: who acts, over which link, and what is remembered of the server.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tonic::Code;
use tonic::metadata::MetadataValue;

use super::connector::Connector;
use super::examples;
use super::fault::{self, Fault};
use super::link::{Clients, DEADLINE, Link};
use crate::api::littlehorse as lh;
use crate::api::ostler::v1;
use crate::domain::{HostInfo, Identity, Trouble};

/// Fetches of one kind in flight at once.
pub(super) const FETCHES: usize = 8;
/// Definitions remembered; more are forgotten all at once, which costs a few calls.
const REMEMBERED: usize = 512;

/// One person's way to one server. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Gateway {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) me: Identity,
    pub(super) fetches: Arc<Semaphore>,
    /// What never changes under its id.
    pub(super) defs: Cache<(String, i32), lh::UserTaskDef>,
    pub(super) specs: Cache<(String, i32, i32), lh::WfSpec>,
    /// The number of the connection whose server has said that it has no `ostler.v1`: learned once, and anew when the
    /// connection is another.
    foreign: AtomicU64,
}

impl Gateway {
    /// A gateway for this person. Connects when first used. `tenant` is sent with every call; one that no header can
    /// hold is refused.
    pub fn new(connector: Arc<dyn Connector>, me: Identity, tenant: &str) -> Result<Gateway, Trouble> {
        Self::with_deadline(connector, me, tenant, DEADLINE)
    }

    /// With another limit for each call than [`DEADLINE`].
    pub(super) fn with_deadline(
        connector: Arc<dyn Connector>,
        me: Identity,
        tenant: &str,
        deadline: Duration,
    ) -> Result<Gateway, Trouble> {
        let header = MetadataValue::try_from(tenant)
            .map_err(|_| Trouble::Unsupported("this cannot be the name of a tenant".to_owned()))?;
        Ok(Gateway {
            shared: Arc::new(Shared {
                link: Link::new(connector, header, deadline),
                me,
                fetches: Arc::new(Semaphore::new(FETCHES)),
                defs: Cache::default(),
                specs: Cache::default(),
                foreign: AtomicU64::new(0),
            }),
        })
    }

    /// As whom it acts.
    pub fn me(&self) -> &Identity {
        &self.shared.me
    }

    /// Loads the example workflows and starts some runs of them for this person. Loading them again changes nothing.
    pub async fn load_examples(&self) -> Result<(), Trouble> {
        let clients = self.shared.link.clients().await.map_err(|error| fault::unreachable(&error))?;
        let loaded = examples::load(clients.lh, &self.shared.me).await;
        loaded.map(|_| ()).map_err(|status| fault::of(status).into_trouble())
    }

    /// What the ostler host says of itself; `None` from a server that is no ostler.
    pub async fn ostler_host(&self) -> Result<Option<v1::Host>, Trouble> {
        self.ask_ostler(|mut clients| async move { clients.ostler.get_host(()).await }).await
    }

    /// What is known of the server.
    pub async fn host(&self) -> Result<HostInfo, Trouble> {
        let place = |this: &Self| this.shared.link.place();
        if let Some(host) = self.ostler_host().await? {
            return Ok(HostInfo {
                place: place(self),
                version: (!host.version.is_empty()).then(|| host.version.into()),
                listen: host.listen,
                writable: host.writable,
                pending_timers: Some(host.pending_timers),
                throwaway: host.throwaway,
                tells_changes: true,
            });
        }
        let version = self.shared.link.read(|mut clients| async move { clients.lh.get_server_version(()).await });
        let version = match version.await {
            Ok(version) => Some(version_words(&version).into()),
            Err(Trouble::Unsupported(_)) => None,
            Err(trouble) => return Err(trouble),
        };
        Ok(HostInfo {
            place: place(self),
            version,
            listen: None,
            writable: true,
            pending_timers: None,
            throwaway: false,
            tells_changes: false,
        })
    }

    /// Calls `ostler.v1`; `None` when the server does not have it.
    pub(super) async fn ask_ostler<T, F>(&self, call: impl Fn(Clients) -> F) -> Result<Option<T>, Trouble>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let mut again = true;
        loop {
            let clients = self.shared.link.clients().await.map_err(|error| fault::unreachable(&error))?;
            let number = clients.number;
            if self.shared.foreign.load(Ordering::Relaxed) == number {
                return Ok(None);
            }
            match self.shared.link.over_one(number, call(clients)).await {
                Ok(answer) => return Ok(Some(answer)),
                Err(Fault::Refused(status)) if status.code() == Code::Unimplemented => {
                    self.shared.foreign.store(number, Ordering::Relaxed);
                    return Ok(None);
                }
                Err(Fault::NotSent(_) | Fault::Broken(_)) if again => again = false,
                Err(fault) => return Err(fault.into_trouble()),
            }
        }
    }
}

fn version_words(version: &lh::LittleHorseVersion) -> String {
    let mut words = format!("LittleHorse {}.{}", version.major_version, version.minor_version);
    if let Some(patch) = version.patch_version {
        words.push_str(&format!(".{patch}"));
    }
    if let Some(pre) = version.pre_release_identifier.as_deref().filter(|pre| !pre.is_empty()) {
        words.push_str(&format!("-{pre}"));
    }
    words
}

/// Remembers what never changes.
pub(super) struct Cache<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Cache(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(super) fn put(&self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, value.clone());
        value
    }
}
