//! Counts what became of every entry. The counters obey conservation laws:
//!
//! received = analyzed + rejected, analyzed = observed + skipped, observed = attributed + unattributed. A message whose entries
//! can't be counted is counted once in `messages_rejected`, outside these laws.

use crate::reporter::Reporter;

/// A closed list of reasons. Each has a place in an array of counters and one value of a label.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every reason, in the order of the counters.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// The reason as the value of a label.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }
    };
}

reasons! {
    /// Why a message or an entry could not be read.
    Rejected {
        /// The message's own framing is not protobuf, or it arrived before the stream's identifier.
        MalformedMessage = "malformed-message",
        /// The message, decompressed if it is compressed, is longer than `limits.messageBytes`.
        MessageTooLarge = "message-too-large",
        /// The entry comes after the first `limits.entriesPerMessage` of its message.
        TooManyEntries = "too-many-entries",
        /// The entry's bytes are not the protobuf message they should be.
        MalformedEntry = "malformed-entry",
        /// An address that the rules need is not an IP address.
        BadAddress = "bad-address",
        /// A string that the rules need is longer than `limits.stringBytes`.
        StringTooLong = "string-too-long",
        /// The message uses a compression that is not supported, or its compressed bytes are broken.
        Compression = "compression",
        /// The message found no room in `limits.bufferedBytes`, or stalled while others needed its room.
        NoRoom = "no-room",
    }
}

reasons! {
    /// Why an analyzed entry yields no observation.
    Skipped {
        /// The entry is about the start or the middle of a call; its end is logged too.
        Periodic = "periodic",
        /// No analyzer is configured for entries of this kind.
        NoAnalyzer = "no-analyzer",
        /// The entry has no `common_properties`.
        NoCommonProperties = "no-common-properties",
        /// The entry has no address for either end of the call, and nothing else says who called whom or in which direction.
        NoAddress = "no-address",
        /// The proxy talked to itself or to its own infrastructure.
        NotACall = "not-a-call",
    }
}

reasons! {
    /// Why one party of an observation is `unknown`.
    Unattributed {
        /// Nothing in the directory has the address.
        NotFound = "not-found",
        /// The address belongs to a node, and no host-network pod listens on the port.
        NodeAddress = "node-address",
        /// Several pods held the address at that time.
        Ambiguous = "ambiguous",
        /// The entry has no address for this party: it is behind a pipe, or there was no upstream.
        NoAddress = "no-address",
        /// The call began before anything that the directory remembers of this address.
        BeforeHistory = "before-history",
    }
}

reasons! {
    /// Why the analyzer `persistence` keeps an observed entry.
    KeepReason {
        /// The call failed, or was refused for what its caller did.
        Error = "error",
        /// It did not fail, but Envoy marked it with a response flag.
        Flag = "flag",
        /// The request took at least as long as the configured threshold.
        Slow = "slow",
        /// The entry belongs to the configured share of all other entries.
        Sampled = "sampled",
    }
}

reasons! {
    /// A value of an entry that was out of range, so that the nearest one in range was counted instead.
    ClampedField {
        /// The duration of a request.
        Duration = "duration",
        /// The bytes of a request with its headers.
        RequestBytes = "request-bytes",
        /// The bytes of a response with its headers.
        ResponseBytes = "response-bytes",
        /// The status code of a response.
        ResponseCode = "response-code",
        /// Bytes to the caller of a TCP connection.
        SentBytes = "sent-bytes",
        /// Bytes from the caller of a TCP connection.
        ReceivedBytes = "received-bytes",
        /// Messages from the caller of a gRPC call.
        RequestMessages = "request-messages",
        /// Messages to the caller of a gRPC call.
        ResponseMessages = "response-messages",
    }
}

/// Counters of entries, of one shard since it was drained or of all shards since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Entries taken from messages.
    pub received: u64,
    /// Entries that could be read.
    pub analyzed: u64,
    /// Entries with at least one observation.
    pub observed: u64,
    /// Observed entries all of whose parties were found.
    pub attributed: u64,
    /// Observed entries with at least one party that is `unknown`.
    pub unattributed: u64,
    /// Observations that went into the overflow series because a bound was reached.
    pub overflowed: u64,
    /// Observations of calls to a host outside the mesh that is counted as `other`, because a bound was reached.
    pub outside_overflowed: u64,
    /// Entries that were not kept because the rate of their kind was reached in that minute.
    pub over_rate: u64,
    rejected: [u64; Rejected::ALL.len()],
    messages_rejected: [u64; Rejected::ALL.len()],
    skipped: [u64; Skipped::ALL.len()],
    observations: [u64; Reporter::ALL.len()],
    parties_unattributed: [u64; Unattributed::ALL.len()],
    kept: [u64; KeepReason::ALL.len()],
    clamped: [u64; ClampedField::ALL.len()],
}

impl Accounting {
    /// Counts an entry that could not be read.
    pub fn count_rejected(&mut self, reason: Rejected) {
        self.rejected[reason as usize] += 1;
    }

    /// Counts a message whose entries can't be counted.
    pub fn count_rejected_message(&mut self, reason: Rejected) {
        self.messages_rejected[reason as usize] += 1;
    }

    /// Counts an analyzed entry without an observation.
    pub fn count_skipped(&mut self, reason: Skipped) {
        self.skipped[reason as usize] += 1;
    }

    /// Counts an observation by its reporter.
    pub fn count_observation(&mut self, reporter: Reporter) {
        self.observations[reporter as usize] += 1;
    }

    /// Counts a party that is `unknown`.
    pub fn count_unattributed(&mut self, reason: Unattributed) {
        self.parties_unattributed[reason as usize] += 1;
    }

    /// Counts an entry that is kept.
    pub fn count_kept(&mut self, reason: KeepReason) {
        self.kept[reason as usize] += 1;
    }

    /// Counts a value that was out of range.
    pub fn count_clamped(&mut self, field: ClampedField) {
        self.clamped[field as usize] += 1;
    }

    /// How many entries were rejected for `reason`.
    pub fn rejected(&self, reason: Rejected) -> u64 {
        self.rejected[reason as usize]
    }

    /// How many messages were rejected as a whole for `reason`.
    pub fn messages_rejected(&self, reason: Rejected) -> u64 {
        self.messages_rejected[reason as usize]
    }

    /// How many entries were skipped for `reason`.
    pub fn skipped(&self, reason: Skipped) -> u64 {
        self.skipped[reason as usize]
    }

    /// How many observations `reporter` made.
    pub fn observations(&self, reporter: Reporter) -> u64 {
        self.observations[reporter as usize]
    }

    /// How many parties are `unknown` for `reason`.
    pub fn parties_unattributed(&self, reason: Unattributed) -> u64 {
        self.parties_unattributed[reason as usize]
    }

    /// How many entries were kept for `reason`.
    pub fn kept(&self, reason: KeepReason) -> u64 {
        self.kept[reason as usize]
    }

    /// How many values of `field` were out of range.
    pub fn clamped(&self, field: ClampedField) -> u64 {
        self.clamped[field as usize]
    }

    /// Adds the counters of `other`.
    pub fn add(&mut self, other: &Accounting) {
        self.received += other.received;
        self.analyzed += other.analyzed;
        self.observed += other.observed;
        self.attributed += other.attributed;
        self.unattributed += other.unattributed;
        self.overflowed += other.overflowed;
        self.outside_overflowed += other.outside_overflowed;
        self.over_rate += other.over_rate;
        add_each(&mut self.rejected, &other.rejected);
        add_each(&mut self.messages_rejected, &other.messages_rejected);
        add_each(&mut self.skipped, &other.skipped);
        add_each(&mut self.observations, &other.observations);
        add_each(&mut self.parties_unattributed, &other.parties_unattributed);
        add_each(&mut self.kept, &other.kept);
        add_each(&mut self.clamped, &other.clamped);
    }

    /// The first conservation law that is violated, with its numbers; `None` when all hold.
    pub fn broken_law(&self) -> Option<String> {
        let rejected: u64 = self.rejected.iter().sum();
        let skipped: u64 = self.skipped.iter().sum();
        let laws = [
            (
                "received = analyzed + rejected",
                self.received,
                self.analyzed + rejected,
            ),
            (
                "analyzed = observed + skipped",
                self.analyzed,
                self.observed + skipped,
            ),
            (
                "observed = attributed + unattributed",
                self.observed,
                self.attributed + self.unattributed,
            ),
        ];
        laws.iter()
            .find(|(_, left, right)| left != right)
            .map(|(law, left, right)| format!("{law}: {left} is not {right}"))
    }
}

fn add_each(to: &mut [u64], from: &[u64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_law_is_named_with_its_numbers() {
        let mut accounting = Accounting {
            received: 3,
            analyzed: 2,
            observed: 2,
            attributed: 2,
            ..Accounting::default()
        };
        accounting.count_rejected(Rejected::BadAddress);
        assert_eq!(accounting.broken_law(), None);
        accounting.count_skipped(Skipped::Periodic);
        assert_eq!(
            accounting.broken_law().as_deref(),
            Some("analyzed = observed + skipped: 2 is not 3")
        );
    }

    #[test]
    fn adding_adds_every_counter() {
        let mut one = Accounting {
            received: 1,
            analyzed: 2,
            observed: 3,
            attributed: 4,
            unattributed: 5,
            overflowed: 6,
            outside_overflowed: 8,
            over_rate: 7,
            ..Accounting::default()
        };
        one.count_rejected(Rejected::Compression);
        one.count_rejected_message(Rejected::MessageTooLarge);
        one.count_skipped(Skipped::NotACall);
        one.count_observation(Reporter::Waypoint);
        one.count_unattributed(Unattributed::BeforeHistory);
        one.count_kept(KeepReason::Slow);
        one.count_clamped(ClampedField::ReceivedBytes);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!(
            (
                sum.received,
                sum.analyzed,
                sum.observed,
                sum.attributed,
                sum.unattributed,
                sum.overflowed,
                sum.outside_overflowed,
                sum.over_rate
            ),
            (2, 4, 6, 8, 10, 12, 16, 14)
        );
        assert_eq!(sum.rejected(Rejected::Compression), 2);
        assert_eq!(sum.messages_rejected(Rejected::MessageTooLarge), 2);
        assert_eq!(sum.skipped(Skipped::NotACall), 2);
        assert_eq!(sum.observations(Reporter::Waypoint), 2);
        assert_eq!(sum.parties_unattributed(Unattributed::BeforeHistory), 2);
        assert_eq!(sum.kept(KeepReason::Slow), 2);
        assert_eq!(sum.clamped(ClampedField::ReceivedBytes), 2);
    }
}
