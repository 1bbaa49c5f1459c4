//! How resources look in logs and messages: `cpus(*):4; disk(role, p)[id:/path]{REV}:10`.
//! Also prints messages as they came, valid or not, because errors quote them.
//! Upstream: `operator<<` of Resource, Resources, DiskInfo and Volume.

use std::fmt;

use proto::mesos::resource::{DiskInfo, ReservationInfo};
use proto::mesos::{self, Volume, value, volume};

use super::Resources;
use super::resource::{Resource, ResourceValue};
use crate::labels;
use crate::values::Scalar;

impl fmt::Display for ResourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceValue::Scalar(scalar) => scalar.fmt(f),
            ResourceValue::Ranges(ranges) => ranges.fmt(f),
            ResourceValue::Set(set) => set.fmt(f),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = Kind {
            name: self.name(),
            role: self.role(),
            reservation: self.reservation(),
            disk: self.disk(),
            is_revocable: self.is_revocable(),
        };
        write!(f, "{kind}:{}", self.value())
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, resource) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}

/// A resource as it came, however wrong it is.
pub fn print_message(message: &mesos::Resource) -> String {
    let kind = Kind {
        name: &message.name,
        role: message.role(),
        reservation: message.reservation.as_ref(),
        disk: message.disk.as_ref(),
        is_revocable: message.revocable.is_some(),
    };
    format!("{kind}:{}", print_value(message))
}

/// Resources from a message, without the invalid and empty ones.
pub fn print_messages(messages: &[mesos::Resource]) -> String {
    Resources::from(messages).to_string()
}

/// What kind of resource it is: all but the amount.
struct Kind<'a> {
    name: &'a str,
    role: &'a str,
    reservation: Option<&'a ReservationInfo>,
    disk: Option<&'a DiskInfo>,
    is_revocable: bool,
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}", self.name, self.role)?;
        if let Some(reservation) = self.reservation {
            if let Some(principal) = &reservation.principal {
                write!(f, ", {principal}")?;
            }
            if let Some(labels) = &reservation.labels {
                write!(f, ", {}", labels::print(labels))?;
            }
        }
        f.write_str(")")?;
        if let Some(disk) = self.disk {
            write!(f, "[{}]", print_disk(disk))?;
        }
        f.write_str(if self.is_revocable { "{REV}" } else { "" })
    }
}

fn print_disk(disk: &DiskInfo) -> String {
    let mut text = disk.persistence.as_ref().map_or("", |p| p.id.as_str()).to_owned();
    if let Some(volume) = &disk.volume {
        text.push(':');
        text.push_str(&print_volume(volume));
    }
    text
}

fn print_volume(volume: &Volume) -> String {
    let Some(host_path) = &volume.host_path else { return volume.container_path.clone() };
    let mode = match volume.mode() {
        volume::Mode::Rw => "rw",
        volume::Mode::Ro => "ro",
    };
    format!("{host_path}:{}:{mode}", volume.container_path)
}

fn print_value(message: &mesos::Resource) -> String {
    match message.r#type() {
        value::Type::Scalar => {
            Scalar::from_f64(message.scalar.as_ref().map_or(0.0, |scalar| scalar.value)).to_string()
        }
        value::Type::Ranges => {
            let ranges = message.ranges.iter().flat_map(|ranges| &ranges.range);
            let ranges: Vec<String> = ranges.map(|r| format!("{}-{}", r.begin, r.end)).collect();
            format!("[{}]", ranges.join(", "))
        }
        value::Type::Set => {
            let items: Vec<&str> =
                message.set.iter().flat_map(|set| &set.item).map(String::as_str).collect();
            format!("{{{}}}", items.join(", "))
        }
        value::Type::Text => "TEXT".to_owned(),
    }
}
