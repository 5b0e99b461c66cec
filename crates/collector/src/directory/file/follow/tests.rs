use std::fs;
use std::os::unix::fs::symlink;

use alscope_analysis::directory::Owner;
use alscope_analysis::moment::Moment;
use alscope_test_log::ThreadLog;
use arc_swap::ArcSwap;
use rstest::rstest;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::clock;
use crate::directory::freshness::KindFreshness;
use crate::directory::publisher::publish;

/// Returns a List of pods with these names.
fn list(pods: &[&str]) -> String {
    let pods = pods.iter().map(|name| {
        format!("- {{kind: Pod, metadata: {{name: {name}, namespace: demo, uid: {name}}}, status: {{podIP: 10.0.0.1}}}}\n")
    });
    format!("items:\n{}kind: List\n", pods.collect::<String>())
}

/// Follows a file in a folder. Time is paused, so a minute passes at once.
struct Follower {
    folder: TempDir,
    freshness: Arc<Freshness>,
    changes: mpsc::Receiver<Change>,
    log: ThreadLog,
    _tasks: JoinSet<()>,
}

impl Follower {
    /// Follows `cluster.yaml` in a folder.
    fn of(folder: TempDir) -> Self {
        let log = ThreadLog::begin();
        let freshness = Arc::new(Freshness::of(&ObjectKind::ALL));
        let path = folder.path().join("cluster.yaml");
        let followed = FollowedFile::read(&path, &mut DirectoryState::default(), freshness.clone()).unwrap();
        let (sender, changes) = mpsc::channel(1000);
        let mut tasks = JoinSet::new();
        tasks.spawn(followed.follow(sender, CancellationToken::new()));
        Follower {
            folder,
            freshness,
            changes,
            log,
            _tasks: tasks,
        }
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cluster.yaml"), list(&["old"])).unwrap();
        Self::of(folder)
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path().join("cluster.yaml"), text).unwrap();
    }

    /// Lets time pass and returns the changes: `(` and `)` around a list of pods, `+` for a pod that is
    /// there, `?` for one that is there and can't be decoded.
    async fn pass(&mut self, seconds: u64) -> Vec<String> {
        sleep(Duration::from_secs(seconds)).await;
        let mut told = Vec::new();
        while let Ok(change) = self.changes.try_recv() {
            told.extend(match change {
                Change::BeginList(ObjectKind::Pod) => Some("(".to_owned()),
                Change::EndList(ObjectKind::Pod) => Some(")".to_owned()),
                Change::Apply(record) => Some(format!("+{}", record.key().id)),
                Change::Keep(key) => Some(format!("?{}", key.id)),
                Change::Delete(key) => Some(format!("-{}", key.id)),
                Change::BeginList(_) | Change::EndList(_) => None,
            });
        }
        told
    }

    fn pods(&self) -> KindFreshness {
        self.freshness.now().swap_remove(0)
    }

    fn said(&self) -> Vec<String> {
        self.log.messages_of("alscope_collector::directory::file::follow")
    }
}

/// Creates a folder as Kubernetes mounts a ConfigMap: its files are links through `..data` to those in a
/// folder of their version.
fn mounted() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    symlink("..data/cluster.yaml", folder.path().join("cluster.yaml")).unwrap();
    mount(folder.path(), "..1", &["old"]);
    folder
}

/// Mounts another version, as the kubelet does with a ConfigMap.
fn mount(folder: &Path, version: &str, pods: &[&str]) {
    fs::create_dir(folder.join(version)).unwrap();
    fs::write(folder.join(version).join("cluster.yaml"), list(pods)).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_written_anew_is_listed_anew() {
    let mut follower = Follower::new();
    assert_eq!(follower.pass(60).await, [""; 0]);
    follower.write(&list(&["new", "newer"]));
    assert_eq!(follower.pass(5).await, ["(", "+new", "+newer", ")"]);
    assert_eq!(follower.pass(60).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_by_another_is_listed_anew() {
    let mut follower = Follower::new();
    let other = follower.folder.path().join("other.yaml");
    fs::write(&other, list(&["new", "newer"])).unwrap();
    fs::rename(&other, follower.folder.path().join("cluster.yaml")).unwrap();
    assert_eq!(follower.pass(5).await, ["(", "+new", "+newer", ")"]);
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_is_mounted_is_followed() {
    let mut follower = Follower::of(mounted());
    assert_eq!(follower.pass(60).await, [""; 0]);
    mount(follower.folder.path(), "..2", &["new", "newer"]);
    fs::remove_dir_all(follower.folder.path().join("..1")).unwrap();
    assert_eq!(follower.pass(5).await, ["(", "+new", "+newer", ")"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_file_names_no_more_had_its_address_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, list(&["old"])).unwrap();
    let mut state = DirectoryState::default();
    let followed = FollowedFile::read(&path, &mut state, Arc::default()).unwrap();
    let directory = Arc::new(ArcSwap::from_pointee(state.publish().unwrap()));
    let (sender, taken) = mpsc::channel(1000);
    let stopping = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(followed.follow(sender, stopping.clone()));
    tasks.spawn(publish(
        state,
        taken,
        directory.clone(),
        watch::channel(true).0,
        stopping,
    ));
    let before = clock::now();
    fs::write(&path, "items: []\nkind: List\n").unwrap();
    sleep(Duration::from_secs(6)).await;
    let directory = directory.load();
    let had_it = |at: Moment| {
        let found = directory.query().owner([10, 0, 0, 1].into(), None, at);
        matches!(found.owner, Owner::Pod(pod) if &*pod.name == "old")
    };
    assert_eq!([before, clock::now()].map(had_it), [true, false]);
}

#[rstest]
#[case::it_is_not_yaml("items: [secret", "not YAML, or no List")]
#[case::it_is_half_a_list(
    "items:\n- {kind: Pod, metadata: {name: new}}\n",
    "it holds an object without a kind, not a List with items"
)]
#[case::it_is_empty("", "it holds an object without a kind, not a List with items")]
#[tokio::test(start_paused = true)]
async fn a_broken_file_changes_nothing_and_is_told_once(#[case] text: &str, #[case] why: &str) {
    let mut follower = Follower::new();
    follower.write(text);
    assert_eq!(follower.pass(600).await, [""; 0]);
    let said = follower.said();
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(said.contains(why) && !said.contains("secret"), "{said}");
    assert!(
        said.ends_with("the directory stays as it was until the file changes again"),
        "{said}"
    );
    let pods = follower.pods();
    assert_eq!(pods.failures, 1);
    assert!(pods.is_listed && pods.age >= Duration::from_secs(598), "{pods:?}");
    follower.write(&list(&["new"]));
    assert_eq!(follower.pass(5).await, ["(", "+new", ")"]);
    let pods = follower.pods();
    assert!(
        pods.failure.is_none() && pods.age <= Duration::from_secs(2),
        "{pods:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_for_a_while_changes_nothing() {
    let mut follower = Follower::new();
    let path = follower.folder.path().join("cluster.yaml");
    fs::remove_file(&path).unwrap();
    assert_eq!(follower.pass(600).await, [""; 0]);
    assert_eq!((follower.said().len(), follower.pods().failures), (1, 1));
    follower.write(&list(&["new"]));
    assert_eq!(follower.pass(5).await, ["(", "+new", ")"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_when_nobody_writes_it_any_more() {
    let mut follower = Follower::new();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for written in 1..=names.len() {
        follower.write(&list(&names[..written]));
        assert_eq!(follower.pass(1).await, [""; 0]);
    }
    assert_eq!(follower.pass(5).await.len(), 2 + names.len());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_cannot_be_decoded_stays_what_it_was() {
    let mut follower = Follower::new();
    let broken =
        "- {kind: Pod, metadata: {name: old, namespace: demo, uid: old}, spec: {containers: secret}}\n";
    follower.write(&list(&["new"]).replace("kind: List", &format!("{broken}kind: List")));
    assert_eq!(follower.pass(5).await, ["(", "+new", "?old", ")"]);
    assert_eq!(follower.pods().skipped, 1);
    let said = follower.said();
    assert!(
        said[1].contains("1 items can't be decoded and are left out, among them Pod demo/old;"),
        "{said:?}"
    );
    assert!(!follower.log.text().contains("secret"));
}
