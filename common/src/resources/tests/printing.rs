//! How resources print: `Printing`, `PrintingExtendedAttributes`, `PrintingScalarPrecision`.

use proto::mesos::resource::RevocableInfo;
use proto::mesos::{Labels, value, volume};

use super::{disk, message, of, reservation, resources};
use crate::labels::label;
use crate::resources::print_message;

#[test]
fn printing() {
    let text = "cpus:45.55;ports:[10000-20000, 30000-50000];disks:{sda1}";
    let expected = "cpus(*):45.55; ports(*):[10000-20000, 30000-50000]; disks(*):{sda1}";
    assert_eq!(resources(text).to_string(), expected);
    assert_eq!(resources("").to_string(), "");
}

#[test]
fn printing_extended_attributes() {
    let mut resource = message("disk(alice):1");
    let check = |resource: &_, expected: &str| {
        assert_eq!(print_message(resource), expected);
        assert_eq!(of(resource).to_string(), expected);
    };
    check(&message("disk:1"), "disk(*):1");
    check(&resource, "disk(alice):1");
    resource.revocable = Some(RevocableInfo::default());
    check(&resource, "disk(alice){REV}:1");
    resource.disk = disk("disk:1", "hadoop", "/data").disk;
    check(&resource, "disk(alice)[hadoop:/data]{REV}:1");
    resource.revocable = None;
    check(&resource, "disk(alice)[hadoop:/data]:1");
    let volume = resource.disk.as_mut().and_then(|disk| disk.volume.as_mut()).expect("a volume");
    volume.host_path = Some("/hdfs".into());
    volume.set_mode(volume::Mode::Rw);
    check(&resource, "disk(alice)[hadoop:/hdfs:/data:rw]:1");
    resource.reservation = Some(reservation("hdfs-p"));
    check(&resource, "disk(alice, hdfs-p)[hadoop:/hdfs:/data:rw]:1");
    resource.reservation.as_mut().expect("a reservation").labels =
        Some(Labels { labels: vec![label("foo", Some("bar")), label("foo", None)] });
    check(&resource, "disk(alice, hdfs-p, {foo: bar, foo})[hadoop:/hdfs:/data:rw]:1");
}

#[test]
fn printing_scalar_precision() {
    let check = |value: f64, expected: &str| {
        let mut resource = message("cpus:1");
        resource.scalar = Some(value::Scalar { value });
        assert_eq!(print_message(&resource), expected);
    };
    check(1.234, "cpus(*):1.234");
    check(1.2345, "cpus(*):1.235");
    check(1.2344, "cpus(*):1.234");
    check(1.1, "cpus(*):1.1");
    check(-1.0, "cpus(*):-1");
    check(1234567.0, "cpus(*):1.23457e+06");
}
