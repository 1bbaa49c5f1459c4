//! The registry as bytes that are changed in place: what nobody touches stays as it was read,
//! with all that a newer master has put into it, and is neither copied nor encoded again.
//! Called by the registrar's actor and by operations; pure. Upstream: `Registry`, whose C++ type
//! keeps unknown fields, and the `slaveIDs` accumulator.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use common::ids::SlaveId;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint,
    encoded_len_varint, skip_field,
};
use prost::{DecodeError, Message};
use proto::initialized::{Checker, Incomplete, Malformed};
use proto::mesos::internal::{Registry, registry};
use proto::mesos::maintenance::Schedule;
use proto::mesos::{MasterInfo, SlaveInfo};

/// Numbers of fields in `Registry`.
const MASTER: u32 = 1;
const SLAVES: u32 = 2;
const MACHINES: u32 = 3;
const SCHEDULES: u32 = 4;
const QUOTAS: u32 = 5;

/// The number of the list in `Registry.Slaves` and in `Registry.Machines`.
const ELEMENT: u32 = 1;

/// Whether contradictions are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// They are not; this is the default.
    Lenient,
    /// They are. `--registry_strict`.
    Strict,
}

/// A registry that finds its slaves.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// The field as it is encoded; empty if absent.
    master: Bytes,
    slaves: Slaves,
    pub(super) machines: List<registry::Machine>,
    pub(super) schedules: Vec<Kept<Schedule>>,
    pub(super) quotas: Vec<Kept<registry::Quota>>,
    /// Fields that we do not know.
    rest: BytesMut,
}

/// All slaves, each as the encoded field that it is, in the order of their admission.
#[derive(Clone, Debug, Default)]
struct Slaves {
    is_present: bool,
    fields: BTreeMap<u64, Bytes>,
    /// Where each one is.
    keys: BTreeMap<SlaveId, u64>,
    last_key: u64,
    /// How long all fields are together.
    length: usize,
    rest: BytesMut,
}

/// Messages below a message of their own.
#[derive(Clone, Debug)]
pub(super) struct List<M> {
    is_present: bool,
    pub(super) elements: Vec<Kept<M>>,
    rest: BytesMut,
}

impl<M> Default for List<M> {
    fn default() -> List<M> {
        List { is_present: false, elements: Vec::new(), rest: BytesMut::new() }
    }
}

/// A message with the bytes that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Kept<M> {
    pub(super) message: M,
    bytes: Bytes,
}

impl<M: Message> Kept<M> {
    pub(super) fn new(message: M) -> Kept<M> {
        Kept { bytes: message.encode_to_vec().into(), message }
    }
}

impl<M: Message + Default> Kept<M> {
    fn read(bytes: Bytes) -> Result<Kept<M>, DecodeError> {
        Ok(Kept { message: M::decode(bytes.clone())?, bytes })
    }
}

impl<M> List<M> {
    pub(super) fn push(&mut self, element: Kept<M>) {
        self.is_present = true;
        self.elements.push(element);
    }
}

impl Document {
    /// A registry that was read.
    ///
    /// # Errors
    /// When it is none, or lacks what it must have.
    pub fn decode(bytes: &Bytes) -> Result<Document, Incomplete> {
        Checker::of::<Registry>().check(bytes)?;
        // Whatever else is wrong is text.
        Document::read(bytes).map_err(|_| Malformed::NotUtf8.into())
    }

    fn read(bytes: &Bytes) -> Result<Document, DecodeError> {
        let mut document = Document::default();
        for field in fields(bytes)? {
            match field.number {
                // Of several the last one counts, as far as a master is concerned.
                MASTER => document.master = field.whole,
                SLAVES => document.slaves.read(&field.payload)?,
                MACHINES => {
                    document.machines.is_present = true;
                    for field in fields(&field.payload)? {
                        match field.number {
                            ELEMENT => document.machines.push(Kept::read(field.payload)?),
                            _ => document.machines.rest.put(field.whole),
                        }
                    }
                }
                SCHEDULES => document.schedules.push(Kept::read(field.payload)?),
                QUOTAS => document.quotas.push(Kept::read(field.payload)?),
                _ => document.rest.put(field.whole),
            }
        }
        Ok(document)
    }

    /// The registry as it is stored.
    pub fn encode(&self) -> Bytes {
        let mut into = BytesMut::with_capacity(self.slaves.length + self.rest.len() + 1024);
        into.put_slice(&self.master);
        if self.slaves.is_present {
            put_length(SLAVES, self.slaves.length + self.slaves.rest.len(), &mut into);
            for field in self.slaves.fields.values() {
                into.put_slice(field);
            }
            into.put_slice(&self.slaves.rest);
        }
        if self.machines.is_present {
            let mut machines = BytesMut::new();
            put_all(ELEMENT, &self.machines.elements, &mut machines);
            machines.put_slice(&self.machines.rest);
            put_field(MACHINES, &machines, &mut into);
        }
        put_all(SCHEDULES, &self.schedules, &mut into);
        put_all(QUOTAS, &self.quotas, &mut into);
        into.put_slice(&self.rest);
        into.freeze()
    }

    /// Writes down who leads.
    pub fn set_master(&mut self, info: MasterInfo) {
        let mut field = BytesMut::new();
        put_field(MASTER, &registry::Master { info }.encode_to_vec(), &mut field);
        self.master = field.freeze();
    }

    /// Whether a slave of that id was admitted.
    pub fn contains_slave(&self, info: &SlaveInfo) -> bool {
        slave_id(info).is_some_and(|id| self.slaves.keys.contains_key(&id))
    }

    pub(super) fn add_slave(&mut self, info: SlaveInfo) {
        let Some(id) = slave_id(&info) else { return };
        let mut field = BytesMut::new();
        put_field(ELEMENT, &registry::Slave { info }.encode_to_vec(), &mut field);
        self.slaves.add(Some(id), field.freeze());
    }

    pub(super) fn remove_slave(&mut self, info: &SlaveInfo) {
        let Some(key) = slave_id(info).and_then(|id| self.slaves.keys.remove(&id)) else { return };
        let removed = self.slaves.fields.remove(&key);
        self.slaves.length -= removed.map_or(0, |field| field.len());
    }
}

impl Slaves {
    fn read(&mut self, bytes: &Bytes) -> Result<(), DecodeError> {
        self.is_present = true;
        for field in fields(bytes)? {
            if field.number == ELEMENT {
                let slave = registry::Slave::decode(field.payload)?;
                self.add(slave_id(&slave.info), field.whole);
            } else {
                self.rest.put(field.whole);
            }
        }
        Ok(())
    }

    fn add(&mut self, id: Option<SlaveId>, field: Bytes) {
        self.is_present = true;
        self.last_key += 1;
        self.length += field.len();
        self.fields.insert(self.last_key, field);
        self.keys.extend(id.map(|id| (id, self.last_key)));
    }
}

fn slave_id(info: &SlaveInfo) -> Option<SlaveId> {
    info.id.as_ref().map(SlaveId::from)
}

/// One field of an encoded message.
struct Field {
    number: u32,
    /// With its key and its length.
    whole: Bytes,
    /// Without; empty if it is a number.
    payload: Bytes,
}

fn fields(message: &Bytes) -> Result<Vec<Field>, DecodeError> {
    let mut rest = message.clone();
    let mut fields = Vec::new();
    while rest.has_remaining() {
        let mut whole = rest.clone();
        let (number, kind) = decode_key(&mut rest)?;
        let mut payload = Bytes::new();
        if kind == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut rest)?).unwrap_or(usize::MAX);
            // Past the end nothing is left, which was found out before.
            payload = rest.split_to(length.min(rest.len()));
        } else {
            skip_field(kind, number, &mut rest, DecodeContext::default())?;
        }
        whole.truncate(whole.len() - rest.len());
        fields.push(Field { number, whole, payload });
    }
    Ok(fields)
}

fn put_all<M>(number: u32, messages: &[Kept<M>], into: &mut BytesMut) {
    for kept in messages {
        put_field(number, &kept.bytes, into);
    }
}

fn put_field(number: u32, payload: &[u8], into: &mut BytesMut) {
    into.reserve(2 * encoded_len_varint(u64::MAX) + payload.len());
    put_length(number, payload.len(), into);
    into.put_slice(payload);
}

fn put_length(number: u32, length: usize, into: &mut BytesMut) {
    encode_key(number, WireType::LengthDelimited, into);
    encode_varint(length as u64, into);
}
