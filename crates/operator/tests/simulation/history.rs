//! What must hold of every write of a run.

use std::collections::{BTreeMap, BTreeSet};

use alscope_test_api_server::Write;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::acts::{BACKUP_VERSION, NEWER_POLICY, settings};
use crate::mesh;

const BACKUP: &str = "alscope-backup-";
/// How long an operator may know only what was before something newer than itself was made: until its next life, and for as long as
/// reads lag behind.
const OBSERVATION_DELAY: SignedDuration = SignedDuration::from_secs(60);

/// What is so at a moment, from the writes before it.
#[derive(Default)]
struct Judge {
    /// Who holds the Lease, and until when by the server's clock.
    lease: Option<(String, Timestamp)>,
    /// Resources that are gone, ending or `Removed`, or were at some time.
    let_go: BTreeSet<String>,
    /// Resources that were `Managed` at some time.
    managed: BTreeSet<String>,
    /// Resources that were allowed to overwrite at some time.
    overwrites: BTreeSet<String>,
    resources: BTreeMap<String, Value>,
    backups: BTreeMap<String, Value>,
    /// Resources and backups that the operators can't read, each by its uid and since when.
    undecodable_resources: BTreeMap<(&'static str, String), Timestamp>,
}

/// Judges all writes; the first that should not have been is told.
pub(crate) fn judge(writes: &[Write]) -> Result<(), String> {
    let mut judge = Judge::default();
    for write in writes {
        if write.user.starts_with("operator") {
            judge.operators(write).map_err(|why| {
                format!(
                    "{} {} {} {}/{} (version {}): {why}",
                    write.user,
                    write.verb.as_str(),
                    write.resource,
                    write.namespace,
                    write.name,
                    write.version
                )
            })?;
        }
        judge.learn(write);
    }
    Ok(())
}

impl Judge {
    fn learn(&mut self, write: &Write) {
        let resource = write.resource.split('.').next().unwrap_or_default();
        match resource {
            "leases" => self.lease = write.after.as_deref().and_then(|lease| held(lease, write.at)),
            "meshobservabilities" => self.learn_resource(write),
            "configmaps" => {
                if let Some(uid) = write.name.strip_prefix(BACKUP) {
                    let is_newer = write.after.as_deref().is_some_and(is_newer_backup);
                    self.note_unread(("backup", uid), is_newer, write.at);
                    match &write.after {
                        Some(after) => self.backups.insert(uid.to_owned(), (**after).clone()),
                        None => self.backups.remove(uid),
                    };
                }
            }
            _ => {}
        }
    }

    fn learn_resource(&mut self, write: &Write) {
        let Some(object) = write.after.as_deref().or(write.before.as_deref()) else {
            return;
        };
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let state = object["spec"]["managementState"].as_str().unwrap_or("Managed");
        let is_ending = write.after.is_none() || object["metadata"].get("deletionTimestamp").is_some();
        if is_ending || state == "Removed" {
            self.let_go.insert(uid.clone());
        }
        if state == "Managed" {
            self.managed.insert(uid.clone());
        }
        if object["spec"]["mesh"]["conflictPolicy"] == "Overwrite" {
            self.overwrites.insert(uid.clone());
        }
        let is_newer = write.after.is_some() && object["spec"]["mesh"]["conflictPolicy"] == NEWER_POLICY;
        self.note_unread(("resource", &uid), is_newer, write.at);
        match &write.after {
            Some(after) => self.resources.insert(uid, (**after).clone()),
            None => self.resources.remove(&uid),
        };
    }

    fn note_unread(&mut self, (what, uid): (&'static str, &str), is_newer: bool, at: Timestamp) {
        let key = (what, uid.to_owned());
        if is_newer {
            self.undecodable_resources.entry(key).or_insert(at);
        } else {
            self.undecodable_resources.remove(&key);
        }
    }

    /// Nothing of a resource or mesh is written while it can't be read: this uid's, or of a mesh whoever's it is.
    fn is_read(&self, what: &[&str], uid: Option<&str>, at: Timestamp) -> Result<(), String> {
        let mut of_it = self.undecodable_resources.iter().filter(|((one, of), since)| {
            what.contains(one) && uid.is_none_or(|uid| uid == of) && **since + OBSERVATION_DELAY < at
        });
        match of_it.next() {
            Some(((what, uid), since)) => Err(format!("the {what} {uid} can't be read since {since}")),
            None => Ok(()),
        }
    }

    fn operators(&self, write: &Write) -> Result<(), String> {
        let resource = write.resource.split('.').next().unwrap_or_default();
        match resource {
            "events" => return Ok(()),
            "leases" => return self.takes_lease(write),
            _ => {}
        }
        match &self.lease {
            Some((holder, until)) if *holder == write.user && write.at <= *until => {}
            lease => return Err(format!("it writes at {}, and the Lease is {lease:?}", write.at)),
        }
        if resource == "configmaps" && write.namespace == mesh::MESH {
            self.is_read(&["resource", "backup"], None, write.at)?;
            return self.writes_mesh(write);
        }
        let (before, after) = (write.before.as_deref(), write.after.as_deref());
        let object = after.or(before).ok_or("an object of nothing")?;
        if let Some(uid) = write.name.strip_prefix(BACKUP) {
            // Each of these writes is guarded by the version that was read.
            if before.is_some_and(is_newer_backup) {
                return Err("a backup of a newer version is written over".to_owned());
            }
            self.is_read(&["resource"], Some(uid), write.at)?;
            return match after {
                Some(_) => self.is_wanted(uid),
                None => self.is_let_go(uid),
            };
        }
        if resource == "meshobservabilities" {
            let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
            self.is_read(&["resource"], Some(uid), write.at)?;
            let had = before.is_some_and(crate::drive::has_finalizer);
            let has = after.is_some_and(crate::drive::has_finalizer);
            return match (had, has) {
                (true, false) => self.is_let_go(uid),
                (false, true) => self.is_wanted(uid),
                _ => Ok(()),
            };
        }
        let uid = object["metadata"]["labels"]["alscope.dev/owner-uid"].as_str();
        let uid = uid.ok_or("it is no object of the operator's")?;
        self.is_read(&["resource"], Some(uid), write.at)?;
        let may_be_surplus = matches!(resource, "configmaps" | "networkpolicies");
        let is_ending = |object: &Value| object["metadata"].get("deletionTimestamp").is_some();
        let is_deletion = after.is_none_or(is_ending);
        if !is_deletion {
            return self.is_wanted(uid);
        }
        if may_be_surplus {
            Ok(())
        } else {
            self.is_let_go(uid)
        }
    }

    /// Nobody takes a Lease that another holds.
    fn takes_lease(&self, write: &Write) -> Result<(), String> {
        match &self.lease {
            Some((holder, until)) if *holder != write.user && write.at <= *until => Err(format!(
                "{holder} holds the Lease until {until}, and it is {}",
                write.at
            )),
            _ => Ok(()),
        }
    }

    fn is_let_go(&self, uid: &str) -> Result<(), String> {
        if self.let_go.contains(uid) {
            return Ok(());
        }
        Err(format!("the resource {uid} was never deleted, and never Removed"))
    }

    fn is_wanted(&self, uid: &str) -> Result<(), String> {
        if self.managed.contains(uid) {
            return Ok(());
        }
        Err(format!("the resource {uid} was never Managed"))
    }

    fn writes_mesh(&self, write: &Write) -> Result<(), String> {
        let text = |object: Option<&Value>| {
            let text = object.and_then(|object| object["data"]["mesh"].as_str());
            text.unwrap_or_default().to_owned()
        };
        let (before, after) = (text(write.before.as_deref()), text(write.after.as_deref()));
        if others(&before) != others(&after) {
            return Err(format!("something else was changed:\n{before}\nto\n{after}"));
        }
        let comments = |text: &str| text.matches('#').count();
        if comments(&before) != comments(&after) {
            return Err(format!("a comment was changed:\n{before}\nto\n{after}"));
        }
        let addresses = settings().map(|settings| settings.address("alscope"));
        let is_ours = |text: &str| addresses.iter().any(|address| text.contains(address));
        let key = format!("text.{}.{}", write.namespace, write.name);
        let of_text = |backup: &&Value| backup["data"].get(key.as_str()).is_some();
        let mut backups = self.backups.iter().filter(|(_, backup)| of_text(backup));
        match (is_ours(&before), is_ours(&after)) {
            (false, true) => {
                let (uid, _) = backups
                    .next()
                    .ok_or("mesh config is touched before its backup is there")?;
                self.is_wanted(uid)?;
                let foreign = alscope_mesh_config::read(&before).ok();
                let has_foreign = foreign.is_some_and(|settings| settings.address().is_some());
                if has_foreign && !self.overwrites.contains(uid) {
                    return Err("another's address is written over, which was never allowed".to_owned());
                }
                let resource = self.resources.get(uid);
                if resource.is_some_and(|resource| !crate::drive::has_finalizer(resource)) {
                    return Err("mesh config is touched before the finalizer is there".to_owned());
                }
                Ok(())
            }
            (true, false) => {
                if backups.any(|(uid, _)| self.let_go.contains(uid)) {
                    return Ok(());
                }
                // Without a backup, what the status says is enough, of a resource that was let go.
                if self.backups.is_empty() && !self.let_go.is_empty() {
                    return Ok(());
                }
                Err(
                    "mesh config is restored, and its resource was never deleted, and never Removed"
                        .to_owned(),
                )
            }
            _ => Ok(()),
        }
    }
}

fn is_newer_backup(backup: &Value) -> bool {
    backup["metadata"]["annotations"]
        .get(BACKUP_VERSION)
        .is_some_and(|version| version != "1")
}

fn held(lease: &Value, at: Timestamp) -> Option<(String, Timestamp)> {
    let holder = lease["spec"]["holderIdentity"]
        .as_str()
        .filter(|holder| !holder.is_empty())?;
    let seconds = lease["spec"]["leaseDurationSeconds"].as_i64()?;
    Some((holder.to_owned(), at + SignedDuration::from_secs(seconds)))
}

/// What a text says elsewhere than at the operator's two paths.
fn others(text: &str) -> Value {
    let mut value: Value = match text.trim() {
        "" => Value::Object(Map::new()),
        _ => serde_saphyr::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    if let Some(root) = value.as_object_mut() {
        root.remove("enableEnvoyAccessLogService");
        if let Some(proxy) = root.get_mut("defaultConfig").and_then(Value::as_object_mut) {
            proxy.remove("envoyAccessLogService");
        }
        root.retain(|key, value| key != "defaultConfig" || !value.as_object().is_none_or(Map::is_empty));
    }
    value
}
