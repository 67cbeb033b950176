//! Who may use this tablet.

use super::Replica;
use crate::error::ReplicaError;
use crate::store::records::{self, table_named};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::AuthorId;
use neonpro_contract::value::Value;

/// People of one clinic. The largest has a few hundred.
const USERS_MAX: usize = 2_000;

/// A member of the clinic.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Who, as author of edits.
    pub author: AuthorId,
    /// Full name.
    pub name: String,
    /// Profession.
    pub profession: String,
    /// Role in the clinic.
    pub role: Role,
    /// Membership and person are in force.
    pub is_active: bool,
}

/// Names do not print themselves.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({}, {:?})", self.author, self.role)
    }
}

impl Replica {
    /// The clinic's members who may write on this tablet, with their roles, by name.
    ///
    /// # Errors
    /// A storage failure.
    pub fn users(&self) -> Result<Vec<User>, ReplicaError> {
        let (members, people) = (table_named("clinic_professionals")?, table_named("professionals")?);
        let meta = self.inner.store.meta()?;
        self.inner.store.read(|conn| {
            let mut users: Vec<User> = Vec::new();
            let condition = "retired_at IS NULL ORDER BY feed_seq DESC";
            for member in records::list(conn, members, condition, &[], USERS_MAX)? {
                let Some(id) =
                    member.row.get("professional_id").as_uuid().map(neonpro_contract::ids::RecordId)
                else {
                    continue;
                };
                let Some(person) = records::find(conn, people, id)? else { continue };
                if users.iter().any(|user| user.author.0 == id.0) || !meta.admits(AuthorId(id.0)) {
                    continue;
                }
                let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
                let active = |value: &Value| value.as_bool().unwrap_or(true);
                users.push(User {
                    author: AuthorId(id.0),
                    name: text(person.row.get("name")),
                    profession: text(person.row.get("professional_type")),
                    role: member
                        .row
                        .get("role")
                        .as_text()
                        .and_then(Role::from_name)
                        .unwrap_or(Role::Assistant),
                    is_active: active(member.row.get("is_active")) && active(person.row.get("is_active")),
                });
            }
            users.sort_by(|a, b| a.name.cmp(&b.name).then(a.author.cmp(&b.author)));
            Ok(users)
        })
    }
}
