//! The roles, which belong to the cluster and so exist before the first migration.
//!
//! Whoever prepares the database must be able to become each of them, or to make them. Invariant: no role that serves
//! is a superuser, owns anything or passes row security.

use super::access::{Access, LOGIN};
use super::{DatabaseError, during, execute};
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_postgres::PgConnection;

/// Makes what is missing and lets the server's account become `neonpro_server`.
pub(super) async fn ensure(connection: &mut PgConnection, access: &Access) -> Result<(), DatabaseError> {
    execute(connection, ROLES.to_owned()).await?;
    if let Some(password) = &access.password {
        execute(connection, LOGIN_ROLE.replace("$login", LOGIN).replace("$password", password)).await?;
        renew_password(connection, access, password).await?;
    }
    let (owner, server) = (access.owner.get_username(), access.server.get_username());
    if owner == server {
        return Ok(());
    }
    // The name comes from a URL of the operator's: quoted all the same.
    let login = format!("'{}'", server.replace('\'', "''"));
    execute(connection, MEMBERSHIP.replace("$login", &login)).await
}

/// Gives the login its password again where the superuser's, which it follows from, was changed.
async fn renew_password(
    connection: &mut PgConnection,
    access: &Access,
    password: &str,
) -> Result<(), DatabaseError> {
    match access.server.connect().await {
        Ok(login) => login.close().await.map_err(during("closing")),
        Err(sqlx_core::Error::Database(error)) if error.code().as_deref() == Some("28P01") => {
            execute(connection, format!("alter role {LOGIN} password '{password}'")).await
        }
        Err(error) => Err(during("logging in")(error)),
    }
}

const ROLES: &str = "
do $$
declare
    role text;
    privilege text;
begin
    -- Two servers may start on one cluster at once.
    perform pg_advisory_xact_lock(hashtext('neonpro roles'));
    foreach role in array array['neonpro_owner', 'neonpro_server', 'neonpro_reference'] loop
        if not exists (select from pg_roles where rolname = role) then
            execute format('create role %I nologin noinherit nobypassrls', role);
        end if;
        -- From PostgreSQL 16 on, membership alone does not allow SET ROLE.
        privilege := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
        if not pg_has_role(current_user, role, privilege) then
            execute format('grant %I to current_user', role);
        end if;
    end loop;
    if not pg_has_role('neonpro_server', 'neonpro_reference', 'member') then
        grant neonpro_reference to neonpro_server;
    end if;
    execute format('grant create on database %I to neonpro_owner', current_database());
    grant usage, create on schema public to neonpro_owner;
end
$$";

/// The login of an embedded cluster, brought back to what it must be, should somebody have changed it.
const LOGIN_ROLE: &str = "
do $$
begin
    perform pg_advisory_xact_lock(hashtext('neonpro roles'));
    if not exists (select from pg_roles where rolname = '$login') then
        create role $login login noinherit password '$password';
    elsif not exists (
        select from pg_roles where rolname = '$login' and rolcanlogin
            and not (rolsuper or rolinherit or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
    ) then
        alter role $login login nosuperuser noinherit nocreaterole nocreatedb noreplication nobypassrls;
    end if;
end
$$";

/// The server's account becomes `neonpro_server` and inherits nothing.
const MEMBERSHIP: &str = "
do $$
declare
    privilege text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
    perform pg_advisory_xact_lock(hashtext('neonpro roles'));
    if not pg_has_role($login, 'neonpro_server', privilege) then
        execute format('grant neonpro_server to %I', $login);
    end if;
end
$$";
