//! What all loops and requests share: the store, the sealer, and one handle per cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use cigri_core::calendar::Calendar;
use cigri_core::meter::law::{AdaptiveSettings, LawSettings};
use cigri_core::meter::{ClusterLimits, Mode};
use cigri_core::token::Renewal;
use cigri_store::{ClusterKind, ClusterRow, Store, StoreError, TokenRow};
use futures_util::future::BoxFuture;
use oar_client::{Budget, Client, HttpTransport, Settings, Token, Transport, TransportError};
use oar_local::LocalCluster;
use tokio::sync::{Notify, Semaphore};
use url::Url;

use crate::admission::Admission;
use crate::clock::now_ms;
use crate::cluster::Board;
use crate::members::Members;
use crate::metrics::Metrics;
use crate::notices::Turns;
use crate::secret::{Sealer, SecretError};
use crate::sensors::Sensor;
use crate::settings::{NotificationSettings, Settings as Configuration};

/// Why something around the grid's clusters and tokens failed.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// The database did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A cluster's URL or client settings are wrong.
    #[error("cluster {cluster}: {problem}")]
    Cluster {
        /// Its name.
        cluster: String,
        /// What is wrong.
        problem: String,
    },
}

/// One cluster as the loops know it.
pub(crate) struct ClusterHandle {
    pub(crate) row: ClusterRow,
    pub(crate) client: Client,
    /// Rung when there may be something to do before the period is over.
    pub(crate) wake: Arc<Notify>,
    /// What tells the load of its file server.
    pub(crate) sensor: Sensor,
}

impl ClusterHandle {
    /// Keeps requests to what the admin allows there now; none goes to a disabled cluster. Whoever is about to send some
    /// says this: another server may have changed it.
    pub(crate) fn keep_to(&self, limits: &ClusterLimits) {
        self.client.set_budget(budget(limits));
        let is_shut = limits.mode == Mode::Disabled;
        self.client.shut(is_shut.then_some("the cluster is disabled by its administrator"));
    }
}

/// Base of the local cluster's requests, which never leave the process.
const LOCAL_URL: &str = "http://localhost/";

/// Files of clusters that are read at one time.
const FILES: usize = 4;

/// The machine's own processes, for local clusters.
pub(crate) struct LocalPool {
    pub(crate) cluster: Arc<LocalCluster>,
    pub(crate) cores: u32,
    /// False: it is there to be read, nothing starts.
    pub(crate) runs_jobs: bool,
}

/// Asks the local cluster in this process: no port is open that others could reach.
pub(crate) struct InProcess(pub(crate) Arc<LocalCluster>);

impl Transport for InProcess {
    fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let response = self.0.respond(request);
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// The way to a real cluster.
pub(crate) fn http_transport(row: &ClusterRow) -> Result<Arc<dyn Transport>, GridError> {
    let failed = |problem: String| GridError::Cluster { cluster: row.name.clone(), problem };
    let url = Url::parse(&row.url).map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(HttpTransport::new(&url).map_err(|error| failed(error.to_string()))?))
}

/// How long what is written down about rounds counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Retention {
    /// Changed decisions are kept so long, milliseconds.
    pub(crate) decisions_ms: i64,
    /// Closed events are kept so long, milliseconds.
    pub(crate) events_ms: i64,
    /// Half of what a user had counts no more after so long, seconds.
    pub(crate) half_life_s: f64,
    /// Between two samples of a cluster, milliseconds; 0: none are taken.
    pub(crate) usage_every_ms: i64,
    /// Samples of clusters are kept so long, milliseconds.
    pub(crate) usage_ms: i64,
}

impl Default for Retention {
    /// The configuration's.
    fn default() -> Retention {
        Configuration::default().retention()
    }
}

/// How requests go to a cluster. One in this process has no lane and no budget: asking it is a function call.
fn client_settings(row: &ClusterRow) -> Settings {
    match row.kind {
        ClusterKind::Local => {
            Settings { reads_any_path: true, one_request_at_a_time: false, budget: None, ..Settings::default() }
        }
        ClusterKind::Oar3 => Settings { budget: Some(budget(&row.limits)), ..Settings::default() },
    }
}

/// What the admin grants our requests there.
fn budget(limits: &ClusterLimits) -> Budget {
    Budget { requests_per_s: limits.requests_per_s, bytes_per_s: limits.bytes_per_s, busy: limits.busy }
}

/// Everything that is shared.
pub(crate) struct Grid {
    pub(crate) store: Store,
    pub(crate) sealer: Sealer,
    pub(crate) instance: String,
    pub(crate) admins: Vec<String>,
    calendars: BTreeMap<String, Calendar>,
    /// Members of the groups that have quotas.
    pub(crate) members: Members,
    /// How long what is written down about rounds counts.
    pub(crate) retention: Retention,
    /// Figures for monitoring.
    pub(crate) metrics: Metrics,
    pub(crate) local: Option<LocalPool>,
    /// How notifications go out.
    pub(crate) notifications: NotificationSettings,
    /// Who tried their addresses lately.
    pub(crate) notice_tests: Turns,
    /// Turns of reading whole files on clusters.
    pub(crate) files: Semaphore,
    /// Turns of looking through all that failed in a campaign.
    pub(crate) reports: Semaphore,
    /// What the administrator says to campaigns.
    pub(crate) admission: Admission,
    clusters: RwLock<BTreeMap<String, Arc<ClusterHandle>>>,
    /// What the loops tell each other about failures.
    pub(crate) board: Board,
    /// Rung when a cluster was added.
    pub(crate) added: Notify,
}

impl Grid {
    pub(crate) fn new(
        store: Store,
        sealer: Sealer,
        admins: Vec<String>,
        local: Option<LocalPool>,
    ) -> Result<Grid, GridError> {
        let instance = store.instance()?;
        let clusters = RwLock::default();
        let calendars = BTreeMap::new();
        let admission = Admission::default();
        Ok(Grid {
            store,
            sealer,
            instance,
            admins,
            calendars,
            members: Members::default(),
            retention: Retention::default(),
            metrics: Metrics::default(),
            local,
            notifications: NotificationSettings::default(),
            notice_tests: Turns::default(),
            files: Semaphore::new(FILES),
            reports: Semaphore::new(1),
            admission,
            clusters,
            board: Board::default(),
            added: Notify::new(),
        })
    }

    /// The same with an administrator's rules.
    pub(crate) fn with_admission(self, admission: Admission) -> Grid {
        Grid { admission, ..self }
    }

    /// The same, knowing when it is night on clusters.
    pub(crate) fn with_calendars(self, calendars: BTreeMap<String, Calendar>) -> Grid {
        Grid { calendars, ..self }
    }

    /// The same, knowing who belongs to groups, and how long to remember.
    pub(crate) fn with_groups(self, groups: BTreeMap<String, Vec<String>>, retention: Retention) -> Grid {
        Grid { members: Members::new(groups), retention, ..self }
    }

    /// The same, knowing how notifications go out.
    pub(crate) fn with_notifications(self, notifications: NotificationSettings) -> Grid {
        Grid { notifications, ..self }
    }

    /// Shortest time between two messages about the same.
    pub(crate) fn notice_period_ms(&self) -> i64 {
        self.notifications.period_s as i64 * 1000
    }

    /// Whether a login is that of root, a configured admin, or the user of a data directory.
    pub(crate) fn is_admin(&self, login: &str) -> bool {
        let own = self.local.is_some() && login == crate::api::own_login();
        own || login == "root" || self.admins.iter().any(|admin| admin == login)
    }

    /// When it is night on a cluster; the default where the configuration does not say.
    pub(crate) fn calendar(&self, cluster: &str) -> &Calendar {
        static DEFAULT: LazyLock<Calendar> = LazyLock::new(Calendar::default);
        self.calendars.get(cluster).unwrap_or_else(|| &DEFAULT)
    }

    /// Stores the cluster and makes its handle.
    pub(crate) fn add_cluster(&self, row: ClusterRow) -> Result<(), GridError> {
        let failed = |problem: String| GridError::Cluster { cluster: row.name.clone(), problem };
        let transport: Arc<dyn Transport> = match (row.kind, &self.local) {
            (ClusterKind::Local, Some(pool)) => Arc::new(InProcess(Arc::clone(&pool.cluster))),
            (ClusterKind::Local, None) => return Err(failed("there are no local processes in this mode".to_owned())),
            (ClusterKind::Oar3, _) => http_transport(&row)?,
        };
        self.add_with(row, transport)
    }

    /// The same, with a given way to send requests.
    pub(crate) fn add_with(&self, row: ClusterRow, transport: Arc<dyn Transport>) -> Result<(), GridError> {
        self.store.put_cluster(&row)?;
        self.hold_cluster(row, transport)
    }

    /// Makes the cluster's handle only: a server that stands by stores nothing.
    pub(crate) fn hold_cluster(&self, row: ClusterRow, transport: Arc<dyn Transport>) -> Result<(), GridError> {
        let text = if row.kind == ClusterKind::Local { LOCAL_URL } else { &row.url };
        let url = Url::parse(text)
            .map_err(|error| GridError::Cluster { cluster: row.name.clone(), problem: error.to_string() })?;
        let settings = client_settings(&row);
        let client = Client::new(url, transport, settings);
        let (wake, sensor) = (Arc::new(Notify::new()), Sensor::default());
        let handle = Arc::new(ClusterHandle { client, wake, row, sensor });
        let mut clusters = self.clusters.write().unwrap_or_else(PoisonError::into_inner);
        clusters.insert(handle.row.name.clone(), handle);
        drop(clusters);
        self.added.notify_one();
        Ok(())
    }

    /// Makes each name a local cluster unless it is one already.
    pub(crate) fn ensure_local(&self, names: impl Iterator<Item = String>) -> Result<(), GridError> {
        for name in names {
            if self.cluster(&name).is_none() {
                self.add_cluster(self.local_row(name))?;
            }
        }
        Ok(())
    }

    pub(crate) fn local_row(&self, name: String) -> ClusterRow {
        let cores = self.local.as_ref().map_or(1, |pool| u64::from(pool.cores));
        // Requests are cheap here, rounds are not: a second's worth of jobs at a time. Not more, for that is how long
        // the next campaign waits behind this one.
        let limits = ClusterLimits {
            max_waiting: 4000,
            max_running: 100_000,
            max_array: 1000,
            max_per_cycle: 1_000_000,
            period_s: 1,
            law: LawSettings::Adaptive(AdaptiveSettings { initial: 4 * cores, ahead: 10.0, round_s: 0.0, patience: 0 }),
            ..ClusterLimits::default()
        };
        let url = "local processes".to_owned();
        ClusterRow { name, kind: ClusterKind::Local, url, limits, last_round_at: None }
    }

    pub(crate) fn cluster(&self, name: &str) -> Option<Arc<ClusterHandle>> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn clusters(&self) -> Vec<Arc<ClusterHandle>> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Wakes every cluster's loop.
    pub(crate) fn wake_all(&self) {
        self.clusters().iter().for_each(|handle| handle.wake.notify_one());
    }

    /// Stores a user's token for a cluster. The user on the cluster is the token's `user` claim.
    #[cfg(test)]
    pub(crate) fn put_token(&self, owner: &str, cluster: &str, token: &Token) -> Result<TokenRow, GridError> {
        let row = self.token_row(owner, cluster, token)?;
        self.store.put_token(&row)?;
        Ok(row)
    }

    /// A token as it is stored.
    pub(crate) fn token_row(&self, owner: &str, cluster: &str, token: &Token) -> Result<TokenRow, GridError> {
        let failed = |problem: String| GridError::Cluster { cluster: cluster.to_owned(), problem };
        let claims = token.claims().map_err(|error| failed(error.to_string()))?;
        let secret = self.sealer.seal(token.expose())?;
        Ok(TokenRow {
            owner: owner.to_owned(),
            cluster: cluster.to_owned(),
            login: claims.user,
            secret,
            expires_at: claims.expires_at,
            issued_at: claims.issued_at,
            renewal: Renewal::default(),
            renewed_at: None,
        })
    }

    /// The owner's usable token for a cluster and the login it acts as, or why there is none.
    pub(crate) fn token(
        &self,
        owner: &str,
        handle: &ClusterHandle,
    ) -> Result<Result<(Token, String), String>, GridError> {
        self.token_among(owner, handle, &self.store.cluster_tokens(&handle.row.name)?)
    }

    /// The same, from tokens that were read before.
    pub(crate) fn token_among(
        &self,
        owner: &str,
        handle: &ClusterHandle,
        tokens: &[TokenRow],
    ) -> Result<Result<(Token, String), String>, GridError> {
        let name = &handle.row.name;
        if let (ClusterKind::Local, Some(pool)) = (handle.row.kind, &self.local) {
            let text = pool.cluster.issue_token(owner, Duration::from_secs(3600));
            return Ok(Token::new(text).map(|token| (token, owner.to_owned())).map_err(|error| error.to_string()));
        }
        let Some(row) = tokens.iter().find(|row| row.owner == owner && row.cluster == *name) else {
            return Ok(Err(format!("{owner} has no token for {name}: add one with `cigri token add {name}`")));
        };
        if row.expires_at.is_some_and(|at| at * 1000 <= now_ms()) {
            return Ok(Err(format!(
                "{owner}'s token for {name} has expired: add a new one with `cigri token add {name}`"
            )));
        }
        let text = match self.sealer.unseal(&row.secret) {
            Ok(text) => text,
            // One user's trouble: the others' round goes on.
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(Token::new(text).map(|token| (token, row.login.clone())).map_err(|error| error.to_string()))
    }
}
