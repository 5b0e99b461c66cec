//! What happens in a run: the user's actions, the operators' deaths and the faults, each at its time.

use std::time::Duration;

use alscope_test_api_server::{Effect, Fault, Verb};
use serde_json::{Value, json};

/// Seeds of random runs begin here; below are those of the matrices.
pub(crate) const RANDOM: u64 = 1_000_000;
const READS: u64 = 10_000;
const WRITES: u64 = 20_000;

pub(crate) const OPERATORS: [&str; 2] = ["operator-a", "operator-b"];

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A new resource with this spec, unless there is one.
    Create(Value),
    /// Another spec.
    Spec(Value),
    Delete,
    /// Without its finalizer.
    ForceDelete,
    /// A chart's upgrade sets the whole text.
    Reset(usize),
    /// A line is added by hand.
    Edit,
    /// One of the objects that the operator made, by place.
    DeleteChild(usize),
    /// The Deployment is scaled by hand.
    Scale,
    RestartPods,
    /// An operator dies and is started again a while later.
    Kill(usize),
    /// An operator ends in order, and is started again a while later.
    Stop(usize),
    /// The operators end in order, and are started again with other settings.
    Settings(usize),
    /// The operators end in order, and older ones are started that do not know this, for so long.
    RollBack(Newer, Duration),
    /// A fault, for so long.
    Fault(Fault, Duration),
    /// All watches end with 410.
    EndWatches,
    /// Old versions are forgotten.
    Compact,
}

/// What was made by a version that is newer than the operators': the other way round, what older operators meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newer {
    /// The resource has a value that can't be decoded.
    pub(crate) resource: bool,
    /// The backup is of a version that is not read.
    pub(crate) backup: bool,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) seed: u64,
    /// In order of time.
    pub(crate) acts: Vec<(Duration, Act)>,
    /// When all faults end.
    pub(crate) calm_at: Duration,
}

/// What the user may ask for.
pub(crate) fn managed() -> Value {
    json!({"managementState": "Managed"})
}

const READ_RESOURCES: [&str; 11] = [
    "meshobservabilities",
    "configmaps",
    "deployments",
    "pods",
    "telemetries",
    "endpointslices",
    "services",
    "poddisruptionbudgets",
    "networkpolicies",
    "horizontalpodautoscalers",
    "leases",
];

const READ_EFFECTS: [Effect; 6] = [
    Effect::Refuse(403),
    Effect::Refuse(404),
    Effect::Refuse(410),
    Effect::Refuse(500),
    Effect::Hang,
    Effect::Undecodable,
];

/// A fault for everybody.
fn fault(verb: Verb, resource: &str, effect: Effect) -> Fault {
    Fault {
        user: String::new(),
        verb: Some(verb),
        resource: resource.to_owned(),
        skip: 0,
        times: u32::MAX,
        effect,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Each read fails in each way: while the mesh is being wired, after the operators have died when it was, and while it is being
/// restored.
pub(crate) fn reads(is_thorough: bool) -> impl Iterator<Item = Scenario> {
    let faults = READ_RESOURCES.into_iter().flat_map(|resource| {
        let verbs = if resource == "leases" {
            vec![Verb::Get]
        } else {
            vec![Verb::List, Verb::Watch]
        };
        verbs
            .into_iter()
            .flat_map(move |verb| READ_EFFECTS.map(move |effect| fault(verb, resource, effect)))
    });
    let runs = faults.flat_map(|fault| ["up", "restarted", "down"].map(|phase| (phase, fault.clone())));
    let chosen = runs
        .enumerate()
        .filter(move |(place, _)| is_thorough || place % 3 == place / 3 % 3);
    chosen.map(|(place, (phase, fault))| {
        let name = format!(
            "{phase}, {} {} {:?}",
            fault.verb.unwrap().as_str(),
            fault.resource,
            fault.effect
        );
        let create = (seconds(5), Act::Create(managed()));
        let kill = |at: u64| [(seconds(at), Act::Kill(0)), (seconds(at), Act::Kill(1))];
        let mut acts = vec![create];
        match phase {
            "up" => acts.push((seconds(1), Act::Fault(fault, seconds(40)))),
            "restarted" => {
                acts.push((seconds(60), Act::Fault(fault, seconds(60))));
                acts.extend(kill(61));
            }
            _ => {
                acts.push((seconds(60), Act::Fault(fault, seconds(60))));
                acts.extend(kill(61));
                acts.push((seconds(70), Act::Delete));
            }
        }
        Scenario::new(name, READS + place as u64, acts, seconds(130))
    })
}

/// Each write fails in each way, at its first and at its second time, during an install and an uninstall.
pub(crate) fn writes(is_thorough: bool) -> impl Iterator<Item = Scenario> {
    let writes = [
        (Verb::Create, "leases"),
        (Verb::Update, "leases"),
        (Verb::Patch, "meshobservabilities"),
        (Verb::Patch, "services"),
        (Verb::Patch, "deployments"),
        (Verb::Patch, "poddisruptionbudgets"),
        (Verb::Patch, "configmaps"),
        (Verb::Create, "configmaps"),
        (Verb::Update, "configmaps"),
        (Verb::Delete, "configmaps"),
        (Verb::Delete, "services"),
        (Verb::Delete, "deployments"),
        (Verb::Create, "events"),
        (Verb::Patch, "events"),
    ];
    let effects = [
        Effect::Refuse(409),
        Effect::Refuse(500),
        Effect::RefuseAfter(504),
        Effect::Break,
        Effect::HangAfter,
        Effect::CrashBefore,
        Effect::CrashAfter,
    ];
    let faults = writes.into_iter().flat_map(move |(verb, resource)| {
        effects.into_iter().flat_map(move |effect| {
            [0, 1].map(|skip| Fault {
                skip,
                times: 1,
                ..fault(verb, resource, effect)
            })
        })
    });
    let chosen = faults
        .enumerate()
        .filter(move |(place, _)| is_thorough || place % 2 == place / 2 % 2);
    chosen.map(|(place, fault)| {
        let name = format!(
            "{} {} {:?}, after {}",
            fault.verb.unwrap().as_str(),
            fault.resource,
            fault.effect,
            fault.skip
        );
        let acts = vec![
            (seconds(1), Act::Fault(fault, seconds(200))),
            (seconds(5), Act::Create(managed())),
            (seconds(60), Act::Edit),
            (seconds(70), Act::Reset(1)),
            (seconds(120), Act::Delete),
        ];
        Scenario::new(name, WRITES + place as u64, acts, seconds(200))
    })
}

/// Anything, in any order.
pub(crate) fn random(seed: u64) -> Scenario {
    let mut random = fastrand::Rng::with_seed(seed);
    let calm_at = 300;
    let mut acts = vec![(seconds(random.u64(1..10)), Act::Create(spec(&mut random, true)))];
    for _ in 0..random.usize(1..8) {
        let act = action(&mut random);
        acts.push((Duration::from_millis(random.u64(20_000..calm_at * 1_000)), act));
    }
    for _ in 0..random.usize(1..7) {
        let fault = any_fault(&mut random);
        let begins = Duration::from_millis(random.u64(0..calm_at * 900));
        let lasts = Duration::from_millis(random.u64(500..90_000));
        // What was read before counts; only who starts anew knows nothing.
        if random.u8(0..3) == 0 {
            let place = random.usize(0..2);
            acts.push((
                begins + Duration::from_millis(random.u64(0..5_000)),
                Act::Kill(place),
            ));
            acts.push((
                begins + Duration::from_millis(random.u64(0..5_000)),
                Act::Kill(1 - place),
            ));
        }
        acts.push((begins, Act::Fault(fault, lasts)));
    }
    for _ in 0..random.usize(0..3) {
        let at = Duration::from_millis(random.u64(10_000..calm_at * 1_000));
        acts.push((at, release(&mut random)));
    }
    Scenario::new("random".to_owned(), seed, acts, seconds(calm_at))
}

fn spec(random: &mut fastrand::Rng, wants: bool) -> Value {
    let states = if wants {
        ["Managed", "Managed", "Managed", "Plan"]
    } else {
        ["Managed", "Removed", "Unmanaged", "Plan"]
    };
    let policy = *random.choice(&["Refuse", "Overwrite"]).unwrap();
    json!({
        "managementState": random.choice(&states).unwrap(),
        "mesh": {"conflictPolicy": policy},
        "collector": {"replicas": random.u64(1..3)},
    })
}

fn action(random: &mut fastrand::Rng) -> Act {
    match random.usize(0..16) {
        0 => Act::Create(spec(random, true)),
        1 | 2 => Act::Spec(spec(random, false)),
        3 | 4 => Act::Delete,
        5 => Act::ForceDelete,
        6 => Act::Reset(random.usize(0..3)),
        7 => Act::Edit,
        8 => Act::DeleteChild(random.usize(0..8)),
        9 => Act::Scale,
        10 => Act::RestartPods,
        11 | 12 => Act::Kill(random.usize(0..2)),
        13 => Act::Stop(random.usize(0..2)),
        14 => Act::EndWatches,
        _ => Act::Compact,
    }
}

/// What users do to the operators' own release.
fn release(random: &mut fastrand::Rng) -> Act {
    if random.bool() {
        return Act::Settings(random.usize(0..3));
    }
    let (resource, backup) = *random
        .choice(&[(true, false), (false, true), (true, true)])
        .unwrap();
    Act::RollBack(Newer { resource, backup }, seconds(random.u64(20..150)))
}

fn any_fault(random: &mut fastrand::Rng) -> Fault {
    let user = *random.choice(&["", OPERATORS[0], OPERATORS[1]]).unwrap();
    let resources = [
        "meshobservabilities",
        "configmaps",
        "deployments",
        "pods",
        "services",
        "endpointslices",
        "leases",
        "",
    ];
    let resource = *random.choice(&resources).unwrap();
    if random.u8(0..5) == 0 {
        return outage(random);
    }
    let (verb, effect, longest) = match random.usize(0..4) {
        0 => {
            let verb = *random.choice(&[Verb::List, Verb::Watch, Verb::Get]).unwrap();
            (Some(verb), *random.choice(&READ_EFFECTS).unwrap(), 20)
        }
        1 | 2 => any_write(random),
        _ => {
            let effects = [
                Effect::Close,
                Effect::Gone,
                Effect::DropEvent,
                Effect::RepeatEvent,
                Effect::Stale(Duration::from_millis(random.u64(500..30_000))),
                Effect::Slow(Duration::from_secs(random.u64(1..10))),
            ];
            (None, random.choice(effects).unwrap(), 10)
        }
    };
    Fault {
        user: user.to_owned(),
        verb,
        resource: resource.to_owned(),
        skip: random.u32(0..4),
        times: if random.bool() {
            u32::MAX
        } else {
            random.u32(1..longest)
        },
        effect,
    }
}

/// Which writes fail, how, and for how many times at most.
fn any_write(random: &mut fastrand::Rng) -> (Option<Verb>, Effect, u32) {
    let verbs = [Verb::Create, Verb::Update, Verb::Patch, Verb::Delete];
    let effects = [
        Effect::Refuse(403),
        Effect::Refuse(409),
        Effect::Refuse(500),
        Effect::RefuseAfter(504),
        Effect::RefuseAfter(500),
        Effect::Break,
        Effect::Hang,
        Effect::HangAfter,
        Effect::CrashBefore,
        Effect::CrashAfter,
        Effect::Slow(Duration::from_secs(random.u64(1..20))),
    ];
    let verb = random.choice(verbs);
    (verb, random.choice(effects).unwrap(), 4)
}

/// Nothing of one operator's, or of anybody's, comes through, or only late.
fn outage(random: &mut fastrand::Rng) -> Fault {
    let effects = [
        Effect::Hang,
        Effect::HangAfter,
        Effect::Refuse(503),
        Effect::Slow(Duration::from_millis(random.u64(500..20_000))),
    ];
    Fault {
        user: (*random.choice(&["", OPERATORS[0], OPERATORS[1]]).unwrap()).to_owned(),
        verb: None,
        resource: (*random.choice(&["", "leases"]).unwrap()).to_owned(),
        skip: random.u32(0..20),
        times: u32::MAX,
        effect: random.choice(effects).unwrap(),
    }
}

impl Scenario {
    fn new(name: String, seed: u64, mut acts: Vec<(Duration, Act)>, calm_at: Duration) -> Self {
        acts.sort_by_key(|(at, _)| *at);
        Self {
            name,
            seed,
            acts,
            calm_at,
        }
    }
}
