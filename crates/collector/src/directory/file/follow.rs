//! Follows a directory file. A new version of the file replaces the directory, so objects that it does not
//! list any more are deleted.
//!
//! The file is polled by its path. This recognizes every way to change it: written in place,
//! replaced by another file, or, as in a ConfigMap's volume, through the symbolic link `..data`
//! that leads to another folder.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::ObjectKind;
use alscope_analysis::directory::state::DirectoryState;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{FileError, LeftOut, load, parse, read};
use crate::directory::freshness::Freshness;
use crate::directory::publisher::Change;

/// The time between two looks at the file. A changed file is read once it looks the same twice in a row,
/// because it may be half written before that.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How many objects one log line names.
const MAX_NAMED_OBJECTS: usize = 10;

/// The properties of a file that differ between its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// The inode's last change (`ctime`), in seconds and nanoseconds. Unlike the modification time,
    /// no program can set it.
    changed: (i64, i64),
}

impl FileStamp {
    /// Returns the stamp of the file that `path` leads to, or `None` if there is none.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(FileStamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// A directory file that has been read and is followed.
#[derive(Debug)]
pub struct FollowedFile {
    path: PathBuf,
    rules: Arc<NamingRules>,
    freshness: Arc<Freshness>,
    /// The stamp of the version that was read last, whether that succeeded or not.
    tried: Option<FileStamp>,
    is_broken: bool,
}

impl FollowedFile {
    /// Reads the file into `state`, which must be empty.
    pub fn read(
        path: &Path,
        state: &mut DirectoryState,
        freshness: Arc<Freshness>,
    ) -> Result<Self, FileError> {
        let followed = FollowedFile {
            path: path.to_owned(),
            rules: state.naming_rules().clone(),
            freshness,
            tried: FileStamp::of(path),
            is_broken: false,
        };
        let left_out = load(path, state)?;
        followed.is_read(&left_out);
        Ok(followed)
    }

    /// Sends the changes of the file to `changes`, until `stopping`.
    pub async fn follow(mut self, changes: mpsc::Sender<Change>, stopping: CancellationToken) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = self.tried;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = FileStamp::of(&self.path);
            let stands_still = std::mem::replace(&mut before, now) == now;
            if now == self.tried {
                if !self.is_broken {
                    self.each_kind(Freshness::heard);
                }
            } else if stands_still {
                self.tried = now;
                self.read_again(&changes).await;
            }
        }
    }

    async fn read_again(&mut self, changes: &mpsc::Sender<Change>) {
        let (path, rules) = (self.path.clone(), self.rules.clone());
        match spawn_blocking(move || all(&path, &rules)).await {
            Ok(Ok((listed, left_out))) => {
                let (objects, file) = (listed.len(), self.path.display());
                info!(objects, %file, "directory file changed and was read");
                let begin = ObjectKind::ALL.map(Change::BeginList);
                let end = ObjectKind::ALL.map(Change::EndList);
                for change in begin.into_iter().chain(listed).chain(end) {
                    // The receiver is gone only when the collector ends.
                    drop(changes.send(change).await);
                }
                self.is_read(&left_out);
                self.is_broken = false;
            }
            Ok(Err(error)) => self.is_not_read(&error.to_string()),
            Err(error) => self.is_not_read(&error.to_string()),
        }
    }

    fn is_read(&self, left_out: &[LeftOut]) {
        self.each_kind(Freshness::heard);
        self.each_kind(Freshness::listed);
        self.each_kind(Freshness::works);
        for (kind, _) in left_out {
            self.freshness.skipped(*kind);
        }
        if !left_out.is_empty() {
            let name = |(kind, undecodable): &LeftOut| format!("{} {}", kind.as_str(), undecodable.name);
            let named: Vec<String> = left_out.iter().take(MAX_NAMED_OBJECTS).map(name).collect();
            let (count, file) = (left_out.len(), self.path.display());
            warn!(
                "directory file {file}: {count} items can't be decoded and are left out, among them {}; look for fields of a wrong \
                 type",
                named.join(", ")
            );
        }
    }

    fn is_not_read(&mut self, why: &str) {
        self.is_broken = true;
        self.each_kind(|freshness, kind| freshness.failed(kind, why));
        warn!("{why}; the directory stays as it was until the file changes again");
    }

    fn each_kind(&self, tell: impl Fn(&Freshness, ObjectKind)) {
        for kind in ObjectKind::ALL {
            tell(&self.freshness, kind);
        }
    }
}

/// Reads all objects of the file, and the items that can't be decoded.
fn all(path: &Path, rules: &NamingRules) -> Result<(Vec<Change>, Vec<LeftOut>), FileError> {
    let (mut listed, mut left_out) = (Vec::new(), Vec::new());
    parse(&read(path)?, path, rules, |item| match item {
        Ok(record) => listed.push(Change::Apply(Box::new(record))),
        Err((kind, undecodable)) => {
            listed.extend(undecodable.key.clone().map(Change::Keep));
            left_out.push((kind, undecodable));
        }
    })?;
    Ok((listed, left_out))
}

#[cfg(test)]
mod tests;
