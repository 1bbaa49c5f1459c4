//! Becoming the leader, and staying it: candidacy and detection.
//! Upstream: `Master::contended`, `lostCandidacy`, `detected`.

use common::same::Same;
use coordination::election::{Candidacy, ContendError, DetectError};
use libprocess::Ctx;
use proto::mesos::MasterInfo;
use tracing::info;

use crate::fatal::Fatal;
use crate::master::Master;
use crate::phase::Phase;

impl Master {
    /// Stands for leadership.
    pub(crate) fn contend(&mut self, ctx: &mut Ctx<Self>) {
        ctx.then(self.contender.contend(), Self::on_contended);
    }

    fn on_contended(&mut self, ctx: &mut Ctx<Self>, contended: Result<Candidacy, ContendError>) {
        match contended {
            Ok(candidacy) => ctx.then(candidacy, Self::on_candidacy_lost),
            Err(error) => self.fail(ctx, Fatal::Contend(error)),
        }
    }

    fn on_candidacy_lost(&mut self, ctx: &mut Ctx<Self>, lost: Result<(), ContendError>) {
        match (lost, self.phase) {
            (Err(error), _) => self.fail(ctx, Fatal::Candidacy(error)),
            (Ok(()), Phase::Recovering | Phase::Leading) => self.fail(ctx, Fatal::LostLeadership),
            (Ok(()), Phase::Standby) => {
                info!("Lost candidacy as a follower... Contend again");
                self.contend(ctx);
            }
        }
    }

    /// Asks who leads, if it is not who was last detected.
    pub(crate) fn detect(&mut self, ctx: &mut Ctx<Self>) {
        ctx.then(self.detector.detect(self.leader.clone()), Self::on_detected);
    }

    fn on_detected(
        &mut self,
        ctx: &mut Ctx<Self>,
        detected: Result<Option<MasterInfo>, DetectError>,
    ) {
        self.leader = match detected {
            Ok(leader) => leader,
            Err(error) => return self.fail(ctx, Fatal::Detect(error)),
        };
        match &self.leader {
            Some(leader) => {
                info!("The newly elected leader is {} with id {}", leader.pid(), leader.id);
            }
            None => info!("The newly elected leader is None"),
        }
        let elected = self.leader.as_ref().is_some_and(|leader| leader.is_same(&self.info));
        match (self.phase, elected) {
            (Phase::Standby, false) => {}
            (Phase::Standby, true) => {
                info!("Elected as the leading master!");
                self.elected_time = Some(ctx.now());
                self.recover(ctx);
            }
            (Phase::Recovering | Phase::Leading, true) => {
                info!("Re-elected as the leading master");
                self.elected_time = Some(ctx.now());
            }
            (Phase::Recovering | Phase::Leading, false) => {
                return self.fail(ctx, Fatal::LostLeadership);
            }
        }
        self.detect(ctx);
    }
}
