//! `sync_identity`: who this tablet is, with its private key. One row, never read by a reader.

use crate::device::{Identity, SigningKey};
use crate::error::ReplicaError;
use neonpro_contract::ids::{ClinicId, DeviceId, NetworkId};
use neonpro_contract::permissions::Audience;
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

pub(crate) fn append(conn: &Connection, identity: &Identity) -> Result<(), ReplicaError> {
    conn.execute(
        "INSERT INTO sync_identity (one, device, name, clinic, clinic_name, network, audience, server_url, pin, pkcs8)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            identity.device.0.as_bytes(),
            identity.name,
            identity.clinic.0.as_bytes(),
            identity.clinic_name,
            identity.network.map(|network| *network.0.as_bytes()),
            identity.audience.name(),
            identity.server_url,
            identity.pin,
            identity.signing_key.pkcs8(),
        ],
    )?;
    Ok(())
}

pub(crate) fn load(conn: &Connection) -> Result<Identity, ReplicaError> {
    let uuid = uuid::Uuid::from_bytes;
    let sql = "SELECT device, name, clinic, clinic_name, network, audience, server_url, pin, pkcs8
               FROM sync_identity WHERE one = 1";
    conn.query_row(sql, [], |row| {
        let audience: String = row.get(5)?;
        let pkcs8 = Zeroizing::new(row.get::<_, Vec<u8>>(8)?);
        Ok(Audience::from_name(&audience).ok_or(ReplicaError::Bookkeeping("audience")).and_then(|audience| {
            Ok(Identity {
                device: DeviceId(uuid(row.get(0)?)),
                name: row.get(1)?,
                clinic: ClinicId(uuid(row.get(2)?)),
                clinic_name: row.get(3)?,
                network: row.get::<_, Option<[u8; 16]>>(4)?.map(|bytes| NetworkId(uuid(bytes))),
                audience,
                server_url: row.get(6)?,
                pin: row.get(7)?,
                signing_key: SigningKey::from_pkcs8(&pkcs8)?,
            })
        }))
    })?
}
