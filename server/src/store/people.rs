//! People and their roles in the clinic, read inside the transaction that judges them.

use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Role;
use sqlx_core::row::Row as _;
use std::collections::HashMap;
use uuid::Uuid;

impl Scoped {
    /// Roles of these people here, now: all of them, where someone has several. Someone without an active membership
    /// is absent.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_roles(&mut self, people: &[Uuid]) -> StoreResult<HashMap<Uuid, Vec<Role>>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select m.professional_id, m.role from clinic_professionals m \
             join professionals p on p.clinic_id = m.clinic_id and p.id = m.professional_id \
             where m.clinic_id = $1 and m.professional_id = any($2) and coalesce(m.is_active, true) \
             and coalesce(p.is_active, true) and m.retired_at is null and p.retired_at is null",
        )
        .bind(clinic)
        .bind(people)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading roles"))?;
        let unreadable = |_| StoreError::Unreadable("clinic_professionals");
        let mut roles: HashMap<Uuid, Vec<Role>> = HashMap::new();
        for row in &rows {
            let person: Uuid = row.try_get(0).map_err(unreadable)?;
            let role: String = row.try_get(1).map_err(unreadable)?;
            let role = Role::from_name(&role).ok_or(StoreError::Unreadable("clinic_professionals"))?;
            roles.entry(person).or_default().push(role);
        }
        Ok(roles)
    }
}
