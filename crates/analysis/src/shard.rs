//! The work of one worker: it turns the bytes of messages into counted observations, by plain function calls.

mod drain;
mod entry_context;
mod progress;
mod settings;

use std::sync::Arc;

use als_proto::{
    CommonProperties, Entries, HttpEntry, Identifier, Malformed, TcpEntry, UnreadEntry, Unreadable,
};

use crate::accounting::{Rejected, Skipped};
use crate::aggregate::example::{Example, ExampleSource};
use crate::aggregate::ids::SeriesId;
use crate::aggregate::registry::Registry;
use crate::aggregate::series::{Counts, HttpCounts, SeriesKey, TcpCounts};
use crate::aggregate::worker_counts::WorkerCounts;
use crate::analyze::NotObserved;
use crate::analyze::final_entry::{check_is_final, check_is_no_tunnel};
use crate::analyze::identity::Identity;
use crate::analyze::k8s_mesh::Lookup;
use crate::analyze::measure::{self, ClampedFields, ConnectionBytes};
use crate::analyze::protocol::is_connection;
use crate::chain::{Analyzer, Chain};
use crate::directory::Directory;
use crate::identify::identity_cache::IdentityCache;
use crate::identify::identity_key::write_key;
use crate::identify::{self, Identified, IdentifiedObservation, RawIdentity};
use crate::moment::Moment;
use crate::node::{MAX_OWN_LABELS, Node};
use crate::persistence::kept_entry::{MeasuredCall, ObservedEntry};
use crate::persistence::{EntrySampler, Persistence};
use crate::rule::Rule;
use entry_context::{EntryContext, EntryObservations, LoggedCall};
pub use progress::MessageProgress;
pub use settings::AnalysisSettings;

/// The counters and the caches of one worker.
#[derive(Debug)]
pub struct Shard {
    /// The counts since the last drain.
    pub counts: WorkerCounts,
    settings: AnalysisSettings,
    registry: Arc<Registry>,
    /// The epoch of the registry in which the shard last forgot its ids.
    epoch: u32,
    identity_cache: IdentityCache,
    key: Vec<u8>,
    /// Keeps single entries, if `persistence` is configured.
    sampler: Option<EntrySampler>,
}

impl Shard {
    /// A shard that has counted nothing and keeps no entries.
    pub fn new(settings: AnalysisSettings, registry: Arc<Registry>) -> Self {
        Shard {
            counts: WorkerCounts::default(),
            settings,
            epoch: registry.epoch(),
            registry,
            identity_cache: IdentityCache::default(),
            key: Vec::new(),
            sampler: None,
        }
    }

    /// The same shard, which also keeps single entries.
    #[must_use]
    pub fn with_persistence(self, persistence: Arc<Persistence>) -> Self {
        Shard {
            sampler: Some(EntrySampler::new(persistence)),
            ..self
        }
    }

    /// The registry that all shards share.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Reads the node of a new stream: what the analyzers read of it, within the bound of a string.
    pub fn read_node(&self, identifier: &Identifier<'_>) -> Result<Node, Malformed> {
        let asks = |chain: Chain| chain.has(Analyzer::MxMesh);
        if !asks(self.settings.http) && !asks(self.settings.tcp) {
            return Node::identify_for_directory(identifier, &self.registry);
        }
        let node = Node::identify(identifier, &self.registry)?;
        Ok(node.within(MAX_OWN_LABELS * self.settings.string_bytes))
    }

    /// Counts a message whose entries can't be counted.
    pub fn reject_message(&mut self, reason: Rejected) {
        self.counts.accounting.count_rejected_message(reason);
    }

    /// Reads at most `limit` entries of a message and counts them. Returns whether more are left.
    pub fn read_entries(
        &mut self,
        directory: &Directory,
        node: &Node,
        progress: &mut MessageProgress<'_>,
        limit: usize,
    ) -> bool {
        for _ in 0..limit {
            let Some(entry) = progress.entries.next_unread() else {
                return false;
            };
            match entry {
                Ok(_) if progress.read >= self.settings.entries_per_message => {
                    self.reject(Rejected::TooManyEntries);
                }
                Ok(UnreadEntry::Http(bytes)) => self.http_entry(directory, node, bytes, progress.received),
                Ok(UnreadEntry::Tcp(bytes)) => self.tcp_entry(directory, node, bytes, progress.received),
                Err(_) => {
                    self.reject_message(Rejected::MalformedMessage);
                    return false;
                }
            }
            progress.read += 1;
        }
        true
    }

    /// Rejects entries that came before their stream's identifier.
    pub fn reject_entries(&mut self, entries: Entries<'_>) {
        for entry in entries {
            match entry {
                Err(Unreadable::Rest) => self.reject_message(Rejected::MalformedMessage),
                _ => self.reject(Rejected::MalformedMessage),
            }
        }
    }

    fn reject(&mut self, reason: Rejected) {
        self.counts.accounting.received += 1;
        self.counts.accounting.count_rejected(reason);
    }

    fn http_entry(&mut self, directory: &Directory, node: &Node, bytes: &[u8], received: Moment) {
        let mut entry = HttpEntry::default();
        if entry.read(bytes).is_err() {
            return self.reject(Rejected::MalformedEntry);
        }
        let context = EntryContext {
            directory,
            node,
            received,
        };
        let counted = match (entry.common_properties(), &entry.request) {
            (None, _) => Err(Skipped::NoCommonProperties.into()),
            (Some(common), Some(request)) if !is_connection(common, &entry, request) => {
                let entry = &entry;
                self.count_call(&context, common, LoggedCall::Request { entry, request })
            }
            (Some(common), _) => self.count_connection(&context, common, (&entry).into()),
        };
        self.count_result(counted);
    }

    fn tcp_entry(&mut self, directory: &Directory, node: &Node, bytes: &[u8], received: Moment) {
        let mut entry = TcpEntry::default();
        if entry.read(bytes).is_err() {
            return self.reject(Rejected::MalformedEntry);
        }
        let context = EntryContext {
            directory,
            node,
            received,
        };
        let counted = match entry.common_properties() {
            None => Err(Skipped::NoCommonProperties.into()),
            Some(common) => self.count_connection(&context, common, (&entry).into()),
        };
        self.count_result(counted);
    }

    fn count_result(&mut self, counted: Result<bool, NotObserved>) {
        let accounting = &mut self.counts.accounting;
        accounting.received += 1;
        match counted {
            Ok(attributed) => {
                accounting.analyzed += 1;
                accounting.observed += 1;
                accounting.attributed += u64::from(attributed);
                accounting.unattributed += u64::from(!attributed);
            }
            Err(NotObserved::Rejected(reason)) => accounting.count_rejected(reason),
            Err(NotObserved::Skipped(reason)) => {
                accounting.analyzed += 1;
                accounting.count_skipped(reason);
            }
        }
    }

    /// Counts a TCP connection, whichever logger reports it. It is not inlined, so that requests are counted beside it in one place.
    #[inline(never)]
    fn count_connection(
        &mut self,
        context: &EntryContext<'_>,
        common: &CommonProperties<'_>,
        bytes: ConnectionBytes,
    ) -> Result<bool, NotObserved> {
        self.count_call(context, common, LoggedCall::Connection(&bytes))
    }

    /// Counts the call in `logged`. Returns whether all of its parties were found.
    #[inline]
    fn count_call(
        &mut self,
        context: &EntryContext<'_>,
        common: &CommonProperties<'_>,
        logged: LoggedCall<'_, '_>,
    ) -> Result<bool, NotObserved> {
        check_is_final(common)?;
        let role = context.node.role;
        let chain = match logged {
            LoggedCall::Request { request, .. } => {
                check_is_no_tunnel(role, common, request.method)?;
                self.settings.http
            }
            LoggedCall::Connection(_) => self.settings.tcp,
        };
        if chain.is_empty() {
            return Err(Skipped::NoAnalyzer.into());
        }
        let peers = identify::peers(chain, common);
        let host = match logged {
            LoggedCall::Request { request, .. } => {
                identify::relevant_authority(role, common, request.authority)
            }
            LoggedCall::Connection(_) => identify::server_name(role, common)?,
        };
        let identity = RawIdentity::new(common, self.settings.caller(role), host, &peers);
        let observations = self.identified_observations(context, chain, &identity)?;
        let EntryObservations { first, second, .. } = observations;
        let (http, tcp);
        let subject = match logged {
            LoggedCall::Request { entry, request } => {
                // The port of a request to a gateway is that of the gateway's upstream.
                let port = second.unwrap_or(first).protocol;
                http = measure::http(common, entry, request, port)?;
                let measure = &http;
                MeasuredCall::Request {
                    entry,
                    request,
                    measure,
                }
            }
            LoggedCall::Connection(bytes) => {
                tcp = measure::tcp(common, *bytes);
                MeasuredCall::Connection { measure: &tcp }
            }
        };
        if self.sampler.is_some() {
            self.keep(&context.observed(common, (first, second), subject));
        }
        let clamped = subject.clamped();
        if observations.are_overflowed || !clamped.is_empty() {
            self.count_limited(observations.are_overflowed, clamped);
        }
        let (id, mut attributed) = self.count_observation(&first, subject);
        let second_id = second.map(|second| {
            let (id, is_attributed) = self.count_observation(&second, subject);
            attributed &= is_attributed;
            id
        });
        if subject.is_grpc() {
            self.count_messages(common, id, second_id);
        }
        if observations.are_new {
            self.offer_example(observations, &context.shown(common, &peers, logged));
        }
        Ok(attributed)
    }

    fn identified_observations(
        &mut self,
        context: &EntryContext<'_>,
        chain: Chain,
        identity: &RawIdentity<'_>,
    ) -> Result<EntryObservations, NotObserved> {
        let limit = self.settings.string_bytes;
        write_key(&mut self.key, chain, context.node, identity, limit)?;
        let start = identity.common.start_time()?;
        let start = start.map_or(context.received, Moment::from);
        let hash = self.identity_cache.hash(&self.key);
        let known = self.identity_cache.get(hash, &self.key, context.directory, start);
        let are_new = known.is_none();
        let identified = match known {
            Some(identified) => identified,
            None => self.identify(context, chain, &identity.decode()?, hash, start),
        };
        let (first, second) = match identified {
            Identified::Observations(first, second) => (first, second),
            Identified::Overflowed(first) => (first, None),
            Identified::NotObserved(ended) => return Err(ended),
        };
        Ok(EntryObservations {
            first,
            second,
            are_new,
            are_overflowed: matches!(identified, Identified::Overflowed(_)),
        })
    }

    #[cold]
    fn identify(
        &mut self,
        context: &EntryContext<'_>,
        chain: Chain,
        identity: &Identity<'_>,
        hash: u64,
        start: Moment,
    ) -> Identified {
        let mut lookup = Lookup::new(context.directory, context.node, start);
        let answer = identify::look_up(chain, identity, &mut lookup, &self.registry);
        self.identity_cache.put(hash, &self.key, answer);
        answer.identified
    }

    /// Offers an entry that was looked up as an example of its evidence.
    #[cold]
    fn offer_example(&mut self, observations: EntryObservations, shown: &ExampleSource<'_>) {
        let observations = [Some(observations.first), observations.second]
            .into_iter()
            .flatten();
        let evidence = observations.map(|observation| observation.evidence);
        self.counts
            .evidence
            .offer_example(evidence, shown.received, || Example::of(shown).ok());
    }

    /// Hands an entry to the sampler. It is not inlined, so that without a sampler nothing is prepared for it.
    #[inline(never)]
    fn keep(&mut self, observed: &ObservedEntry<'_, '_>) {
        if let Some(sampler) = &mut self.sampler {
            sampler.observe(observed, &self.registry, &mut self.counts.accounting);
        }
    }

    /// Counts that bounds changed what an entry counts as.
    #[cold]
    fn count_limited(&mut self, are_overflowed: bool, clamped: ClampedFields) {
        self.counts.accounting.outside_overflowed += u64::from(are_overflowed);
        clamped
            .iter()
            .for_each(|field| self.counts.accounting.count_clamped(field));
    }

    /// Counts the messages of a gRPC call in the series of its observations.
    #[inline(never)]
    fn count_messages(&mut self, common: &CommonProperties<'_>, id: SeriesId, second: Option<SeriesId>) {
        let measure = measure::messages(common);
        self.count_limited(false, measure.clamped);
        for id in [Some(id), second].into_iter().flatten() {
            if let Some(delta) = self.counts.http.get_mut(id) {
                delta.add_messages(measure.messages);
            }
        }
    }

    /// Counts an observation. Returns its series, and whether both of its parties were found.
    fn count_observation(
        &mut self,
        observation: &IdentifiedObservation,
        subject: MeasuredCall<'_, '_>,
    ) -> (SeriesId, bool) {
        let (call, registry) = (observation.call, &self.registry);
        let id = match subject {
            MeasuredCall::Request { measure, .. } => {
                let outcome = HttpCounts::outcome(measure);
                let key = SeriesKey { call, outcome };
                self.counts
                    .http
                    .add(key, measure, |key| registry.http_series(key))
            }
            MeasuredCall::Connection { measure } => {
                let outcome = TcpCounts::outcome(measure);
                let key = SeriesKey { call, outcome };
                self.counts.tcp.add(key, measure, |key| registry.tcp_series(key))
            }
        };
        self.counts.accounting.count_observation(observation.reporter);
        self.counts.accounting.overflowed += u64::from(id == SeriesId::OVERFLOW);
        self.counts.evidence.add(observation.evidence);
        let missing = [observation.source_rule, observation.destination_rule].map(Rule::unattributed);
        for reason in missing.iter().flatten() {
            self.counts.accounting.count_unattributed(*reason);
        }
        (id, missing == [None, None])
    }
}
