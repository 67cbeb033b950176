//! Who is calling. Only authentication makes an [`Actor`]; the store opens no transaction without one.

use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::permissions::Audience;

/// A caller whose clinic is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    clinic: ClinicId,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Device(DeviceId, Audience),
    System,
}

impl Actor {
    /// A device whose signature over the challenge was verified.
    #[must_use]
    pub(crate) fn device(clinic: ClinicId, device: DeviceId, audience: Audience) -> Self {
        Self { clinic, kind: Kind::Device(device, audience) }
    }

    /// The server's own work in a clinic: jobs, imports, enrolment by an operator.
    #[must_use]
    pub fn system(clinic: ClinicId) -> Self {
        Self { clinic, kind: Kind::System }
    }

    /// Its clinic.
    #[must_use]
    pub fn clinic(&self) -> ClinicId {
        self.clinic
    }

    /// The device, if it is one.
    #[must_use]
    pub fn device_id(&self) -> Option<DeviceId> {
        match self.kind {
            Kind::Device(device, _) => Some(device),
            Kind::System => None,
        }
    }

    /// What it may see.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match self.kind {
            Kind::Device(_, audience) => audience,
            Kind::System => Audience::Clinical,
        }
    }
}
