//! A domain: one ECS world with its agenda and its event loop.
//!
//! The hot path is: take the next event, match on its kind, run a plain function over typed
//! component access. The access is prepared once per window, never once per event.

mod entities;
mod foresight;
mod mdms;
mod visit;

use std::sync::Arc;

use bevy_ecs::query::{With, Without};
use bevy_ecs::system::{Query, SystemState};
use bevy_ecs::world::World;

use entities::Entities;
use foresight::{Foreseen, Foresight};

use crate::attack::{Attack, Attackers};
use crate::cell::Cell;
use crate::concentrator::{Admission, Concentrator, ConcentratorHost};
use crate::context::{self, Context, DATAGRAM_MAX, Exchange, Kind};
use crate::datagram::{Datagram, Pool};
use crate::event::{Agenda, Event, EventKey};
use crate::fleet::{Action, By, Fleet, MeterCommand};
use crate::headend::{Instance, InstanceHost};
use crate::link::segment::Held;
use crate::meter::{MeterHost, MeterQuery, Placement};
use crate::spawn;
use crate::telemetry::{CommandRecord, KeyRecord, RequestRecord, Side, Telemetry};
use crate::time::Time;

type Meters<'w, 's> = Query<'w, 's, MeterQuery, Without<Instance>>;
type Instances<'w, 's> = Query<'w, 's, &'static mut Instance, (With<Instance>, Without<Placement>)>;
type Concentrators<'w, 's> = Query<'w, 's, &'static mut Concentrator>;
type Access = SystemState<(
    Meters<'static, 'static>,
    Instances<'static, 'static>,
    Concentrators<'static, 'static>,
)>;

/// How a meter's datagrams get to the head-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Hops to the head-end or the concentrator; zero if there is no way.
    pub hops: u32,
    /// The concentrator, on a shared medium.
    pub concentrator: Option<u32>,
    /// The meter that forwards for this one, if any.
    pub parent: Option<u32>,
}

impl Way {
    /// A link of its own.
    const DIRECT: Self = Self {
        hops: 1,
        concentrator: None,
        parent: None,
    };
}

/// A part of the fleet with its own world.
pub struct Domain<A> {
    fleet: Arc<Fleet>,
    index: usize,
    world: World,
    access: Access,
    entities: Entities,
    agenda: A,
    pool: Pool,
    attackers: Attackers,
    /// By number; only those of this domain are set.
    cells: Vec<Option<Cell>>,
    telemetry: Telemetry,
    scratch: Vec<u8>,
    foreseen: Foreseen,
}

impl<A: Agenda> Domain<A> {
    /// Builds domain `index` of the fleet and posts its first events to `agenda`.
    pub fn new(fleet: Arc<Fleet>, index: usize, agenda: A) -> Self {
        let mut world = World::new();
        let mut entities = Entities::new(&fleet);
        for instance in 0..fleet.headend.instances {
            if fleet.domain_of_instance(instance) == index {
                let entity = world.spawn(spawn::instance(&fleet, instance)).id();
                entities.insert(fleet.instance_entity(instance), entity);
            }
        }
        let meters = 0..fleet.meters();
        let own: Vec<u32> = meters
            .filter(|&meter| fleet.domain_of_meter(meter) == index)
            .collect();
        // Spawned together, they take no more memory than they need.
        let batch = own.iter().map(|&meter| spawn::meter(&fleet, meter));
        for (meter, entity) in own.iter().zip(world.spawn_batch(batch)) {
            entities.insert(*meter, entity);
        }
        for concentrator in 0..fleet.meshes.len() {
            if fleet.domain_of_concentrator(concentrator) == index {
                let entity = world.spawn(spawn::concentrator(&fleet, concentrator)).id();
                entities.insert(fleet.concentrator_entity(concentrator), entity);
            }
        }
        let instances = 0..fleet.headend.instances;
        let own = instances.filter(|&instance| fleet.domain_of_instance(instance) == index);
        let mut attackers = Attackers::new(&fleet, own);
        let access = SystemState::new(&mut world);
        for concentrator in 0..fleet.meshes.len() {
            if !attackers.is_empty() && fleet.domain_of_concentrator(concentrator) == index {
                let entity = entities
                    .get(fleet.concentrator_entity(concentrator))
                    .expect("the concentrators of a domain are spawned");
                let mut entity = world.entity_mut(entity);
                let mut concentrator = entity
                    .get_mut::<Concentrator>()
                    .expect("a concentrator has its component");
                attackers.occupy(&fleet, &mut concentrator);
            }
        }
        let cells = (0..fleet.cells.len()).map(|number| {
            let plan = &fleet.cells.plans[number as usize];
            let entity = fleet.cell_entity(number);
            let own = fleet.domain_of_cell(number) == index;
            own.then(|| Cell::new(plan, fleet.seed, number, entity))
        });
        let cells = cells.collect();
        let mut domain = Self {
            cells,
            fleet,
            index,
            world,
            access,
            entities,
            agenda,
            pool: Pool::default(),
            attackers,
            telemetry: Telemetry::default(),
            scratch: vec![0; DATAGRAM_MAX],
            foreseen: Foreseen::default(),
        };
        domain.post_first_events();
        let (fleet, pool) = (&domain.fleet, &mut domain.pool);
        domain.attackers.begin(fleet, &mut domain.agenda, pool);
        domain
    }

    /// First power, the first interval and the timeline of every meter; outages of instances.
    fn post_first_events(&mut self) {
        let fleet = Arc::clone(&self.fleet);
        let end = Time(fleet.duration.as_nanos());
        let (mut meters, mut instances, mut concentrators) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for mut concentrator in &mut concentrators {
            let (entity, posted) = (concentrator.entity, &mut concentrator.posted);
            for interruption in fleet.supply.of(entity) {
                let (off, on) = (interruption.off, interruption.on);
                for (time, kind) in [(off, Kind::PowerOff), (on, Kind::PowerOn)] {
                    if time < end {
                        let event = context::event(time, kind, entity, entity, posted, 0);
                        self.agenda.post(event);
                    }
                }
            }
        }
        for mut meter in &mut meters {
            let number = meter.placement.meter;
            let cohort = &fleet.cohorts[usize::from(meter.placement.cohort)];
            let power_on = fleet.begin + cohort.power_on.duration(&mut meter.supply.timing);
            let interval = fleet.reports.first_after(fleet.begin);
            let end_of_first = fleet.reports.interval.scaled(u64::from(interval), 1);
            let first_interval = meter.processor.clock.when(
                firmware::Instant::from_nanos(end_of_first.as_nanos())
                    + meter.placement.report_offset,
            );
            let commands = fleet.commands(number);
            let (power_on, commands) = fleet.supply.apply(number, power_on, commands);
            let commands = commands.into_iter().filter_map(|(time, command)| {
                let kind = match command {
                    MeterCommand::PowerOff => Kind::PowerOff,
                    MeterCommand::PowerOn => Kind::PowerOn,
                    MeterCommand::Reauthenticate(By::Meter) => Kind::Reauthenticate,
                    MeterCommand::Terminate(By::Meter) => Kind::Terminate,
                    MeterCommand::Reauthenticate(By::HeadEnd)
                    | MeterCommand::Terminate(By::HeadEnd) => return None,
                };
                Some((time, kind, 0))
            });
            let first = [
                (power_on, Kind::PowerOn, 0),
                (first_interval, Kind::Interval, interval),
            ];
            let visit = meter.premise.field.as_mut();
            let visit = visit.and_then(|field| field.first(&fleet, number, end));
            let visit = visit.map(|time| (time, Kind::Optical, 0));
            for (time, kind, payload) in first.into_iter().chain(commands).chain(visit) {
                if time < end {
                    let posted = &mut meter.processor.posted;
                    self.agenda
                        .post(context::event(time, kind, number, number, posted, payload));
                }
            }
        }
        for mut instance in &mut instances {
            let (entity, posted) = (instance.entity, &mut instance.posted);
            let batches = (0..).zip(&fleet.switching);
            for (index, batch) in batches.filter(|(_, batch)| batch.at < end) {
                let event = context::event(batch.at, Kind::Order, entity, entity, posted, index);
                self.agenda.post(event);
            }
            let plans = (0..).zip(&fleet.requests);
            for (index, plan) in plans.filter(|(_, plan)| plan.first < end) {
                let event = context::event(plan.first, Kind::Round, entity, entity, posted, index);
                self.agenda.post(event);
            }
            post_sessions(&fleet, &mut instance, &mut self.agenda);
            for (attacker, plan) in (0..).zip(&fleet.attackers) {
                let theft = fleet.first_victim(plan, instance.index);
                let at = plan.campaign.start;
                if let (Attack::GroupOrder { .. }, Some(meter)) = (plan.attack, theft)
                    && at < end
                {
                    let posted = &mut instance.posted;
                    let event = context::event(at, Kind::Theft, meter, entity, posted, attacker);
                    self.agenda.post(event);
                }
            }
            for step in &fleet.timeline {
                let Action::HeadendDown {
                    instance: index,
                    duration,
                    lose_sessions,
                } = step.action
                else {
                    continue;
                };
                if index != instance.index {
                    continue;
                }
                let entity = instance.entity;
                let posted = &mut instance.posted;
                let down = u32::from(lose_sessions);
                let (from, to) = (step.at, step.at + duration);
                self.agenda.post(context::event(
                    from,
                    Kind::InstanceDown,
                    entity,
                    entity,
                    posted,
                    down,
                ));
                self.agenda.post(context::event(
                    to,
                    Kind::InstanceUp,
                    entity,
                    entity,
                    posted,
                    0,
                ));
            }
        }
    }

    /// Handles all events before `end` in key order.
    ///
    /// # Errors
    ///
    /// Whatever `exchange` objects to; the event at hand has been handled to its end.
    pub fn run<X: Exchange>(&mut self, end: Time, exchange: &mut X) -> Result<(), X::Stop> {
        let Self {
            fleet,
            index,
            world,
            access,
            entities,
            agenda,
            pool,
            attackers,
            cells,
            telemetry,
            scratch,
            foreseen,
        } = self;
        let (mut meters, mut instances, mut concentrators) =
            access.get_mut(world).expect("queries are always valid");
        let [meters_end, concentrators_begin, cells_begin, fleet_end] = [
            fleet.meters(),
            fleet.concentrator_entity(0),
            fleet.cell_entity(0),
            fleet.entities(),
        ];
        let mut context = Context {
            fleet,
            domain: *index,
            agenda,
            exchange,
            pool,
            attackers,
            telemetry,
            scratch,
            repetitions: 0,
            stop: None,
        };
        let foresees = foresight::is_worth_while(entities.meters());
        while let Some(event) = context.agenda.pop_before(end) {
            if foresees {
                Foresight {
                    fleet,
                    entities,
                    meters: &meters,
                    instances: &instances,
                }
                .fetch(context.agenda.upcoming(), foreseen);
            }
            let kind = Kind::of(&event).expect("the models post no event of another kind");
            let print = match kind {
                Kind::Arrive | Kind::Offer | Kind::Inject => {
                    context::fingerprint(context.pool.get_mut(context::handle(&event)))
                }
                _ => 0,
            };
            context.exchange.charge(&event, print)?;
            if event.target >= fleet_end {
                let (fleet, agenda) = (context.fleet, &mut *context.agenda);
                let pool = &mut *context.pool;
                context.attackers.handle(&event, kind, fleet, agenda, pool);
                continue;
            }
            if let Some(cell) = event.target.checked_sub(cells_begin) {
                let run_end = Time(context.fleet.duration.as_nanos());
                let cell = cells[cell as usize].as_mut();
                cell.expect("events are posted in the domain of their target")
                    .handle(&event, kind, run_end, context.agenda);
                continue;
            }
            let entity = entities
                .get(event.target)
                .expect("events are posted in the domain of their target");
            let now = event.time;
            if event.target < meters_end {
                let meter = meters.get_mut(entity).expect("meters are never despawned");
                let mut host = MeterHost {
                    meter,
                    context: &mut context,
                    now,
                    asker: None,
                };
                handle_meter_event(&mut host, kind, &event);
            } else if event.target >= concentrators_begin {
                let mut concentrator = concentrators
                    .get_mut(entity)
                    .expect("concentrators are never despawned");
                let host = ConcentratorHost {
                    concentrator: &mut concentrator,
                    context: &mut context,
                    now,
                };
                handle_concentrator_event(host, kind, &event);
            } else {
                let mut instance = instances
                    .get_mut(entity)
                    .expect("instances are never despawned");
                let host = InstanceHost {
                    instance: &mut instance,
                    context: &mut context,
                    now,
                };
                handle_instance_event(host, kind, &event);
            }
            if let Some(stop) = context.stop.take() {
                return Err(stop);
            }
        }
        Ok(())
    }

    /// Takes in a datagram from another domain; it becomes the event with `key`.
    pub fn deliver(&mut self, key: EventKey, datagram: &Datagram) {
        let handle = self.pool.insert(
            datagram.source,
            datagram.destination,
            datagram.sent,
            &datagram.octets,
        );
        self.pool.get_mut(handle).label = datagram.label;
        self.agenda.post(Event {
            time: key.time,
            target: key.target,
            source: key.source,
            sequence: key.sequence,
            phase: key.phase,
            kind: Kind::Arrive as u8,
            payload: handle.0,
        });
    }

    /// Datagrams that are on their way to a node of this domain, or wait there.
    pub fn in_flight(&self) -> usize {
        self.pool.in_flight()
    }

    /// The time of the first event, if any.
    pub fn next_time(&mut self) -> Option<Time> {
        self.agenda.next_time()
    }

    /// What was observed since it was last taken.
    pub fn telemetry_mut(&mut self) -> &mut Telemetry {
        let attacks = &mut self.telemetry.attacks;
        attacks.append(&mut self.attackers.take_records());
        for (traffic, count) in self.attackers.take_traffic() {
            let sum = self.telemetry.attack_traffic.entry(traffic);
            sum.or_default().add(&count);
        }
        let captured = &mut self.telemetry.captured;
        captured.append(&mut self.attackers.take_captured());
        &mut self.telemetry
    }

    /// Has attackers evaluate what they have recorded, as of `now`: the end of the run.
    pub fn conclude_attacks(&mut self, now: Time) {
        self.attackers.conclude(&self.fleet, now);
    }

    /// Calls `visit` for every instance of this domain, in order of their indices.
    pub fn for_each_instance(&mut self, mut visit: impl FnMut(&mut Instance)) {
        let (_, mut instances, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for mut instance in &mut instances {
            visit(&mut instance);
        }
    }

    /// Records the losses of power that have not ended by `now`, the end of the run.
    pub fn record_outages(&mut self, now: Time) {
        let (mut meters, _, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for meter in &mut meters {
            let hold_up = meter.supply.hold_up.as_deref();
            let pending = hold_up.and_then(|hold_up| hold_up.pending(meter.placement.meter, now));
            self.telemetry.outages.extend(pending);
        }
    }

    /// Records the key epochs that are still alive, as of `now`: the end of the run.
    pub fn record_live_keys(&mut self, now: Time) {
        let (mut meters, mut instances, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for meter in &mut meters {
            let record = |epoch: &_| KeyRecord {
                time: now,
                meter: meter.placement.meter,
                side: Side::Meter,
                drift_ppb: meter.processor.clock.drift_ppb(),
                epoch: *epoch,
            };
            let image = &meter.firmware.image;
            let home = image.han().into_iter().flat_map(|han| han.live_keys());
            let live = image.live_keys().chain(home).map(record);
            self.telemetry.keys.extend(live);
        }
        for instance in &mut instances {
            for (rank, epoch) in instance.image.live_keys() {
                self.telemetry.keys.push(KeyRecord {
                    time: now,
                    meter: self.fleet.meter_at(instance.index, rank),
                    side: Side::Server,
                    drift_ppb: 0,
                    epoch: *epoch,
                });
            }
        }
    }

    /// Records orders to switches and requests that have not ended, as of `now`: the end of the run.
    pub fn record_open_commands(&mut self, now: Time) {
        let (_, mut instances, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for instance in &mut instances {
            let local = firmware::Instant::from_nanos(now.as_nanos());
            for report in instance.image.unfinished_commands(local) {
                self.telemetry.commands.push(CommandRecord {
                    meter: self.fleet.meter_at(instance.index, report.order.rank),
                    instance: instance.index,
                    report,
                });
            }
            if let Some(waves) = &instance.waves {
                let held = waves.held_back(&self.fleet, instance.index, now);
                self.telemetry.images.extend(held);
            }
            for report in instance.image.unfinished_requests(local) {
                self.telemetry.requests.push(RequestRecord {
                    meter: self.fleet.meter_at(instance.index, report.order.rank),
                    instance: instance.index,
                    report,
                });
            }
        }
    }

    /// Records sessions at optical ports that have not ended, as of `now`: the end of the run.
    pub fn record_open_visits(&mut self, now: Time) {
        let (mut meters, _, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for mut meter in &mut meters {
            let field = meter.premise.field.as_mut();
            let open = field.and_then(|field| field.unfinished(now));
            self.telemetry.optical.extend(open);
        }
    }

    /// Records the registers of meters with full metering, as of `now`: the end of the run.
    pub fn record_registers(&mut self, now: Time) {
        let (mut meters, _, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for meter in &mut meters {
            let (image, number) = (&meter.firmware.image, meter.placement.meter);
            let metering = meter.premise.metering.as_deref();
            let record = metering.and_then(|metering| metering.last_record(image, number, now));
            self.telemetry.registers.extend(record);
        }
    }

    /// Calls `visit` with the components of every meter of this domain and its way.
    pub fn for_each_meter(
        &mut self,
        mut visit: impl FnMut(crate::meter::MeterQueryItem<'_, '_>, Way),
    ) {
        let (mut meters, _, concentrators) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for meter in &mut meters {
            let way = self.fleet.meshes.home(meter.placement.meter).map(|home| {
                let entity = self.fleet.concentrator_entity(home.concentrator);
                let entity = self
                    .entities
                    .get(entity)
                    .expect("a meter and its concentrator are in the same domain");
                let concentrator = concentrators
                    .get(entity)
                    .expect("concentrators are never despawned");
                let tree = concentrator.segment.tree();
                let members = &self.fleet.meshes.concentrators[home.concentrator as usize].members;
                Way {
                    hops: tree.hops(home.station).unwrap_or(0),
                    concentrator: Some(home.concentrator),
                    parent: tree.parent(home.station).and_then(|(parent, _)| {
                        let member = (parent as usize).checked_sub(1)?;
                        members.get(member).copied()
                    }),
                }
            });
            visit(meter, way.unwrap_or(Way::DIRECT));
        }
    }
}

/// What the timeline has `instance` do to the sessions of its meters.
fn post_sessions<A: Agenda>(fleet: &Fleet, instance: &mut Instance, agenda: &mut A) {
    if !fleet
        .timeline
        .iter()
        .any(|step| step.action.is_by_headend())
    {
        return;
    }
    let end = Time(fleet.duration.as_nanos());
    let (entity, posted) = (instance.entity, &mut instance.posted);
    for rank in 0..fleet.meters_of(instance.index) {
        for (time, command) in fleet.commands(fleet.meter_at(instance.index, rank)) {
            let kind = match command {
                MeterCommand::Reauthenticate(By::HeadEnd) => Kind::Reauthenticate,
                MeterCommand::Terminate(By::HeadEnd) => Kind::Terminate,
                _ => continue,
            };
            if time < end {
                agenda.post(context::event(time, kind, entity, entity, posted, rank));
            }
        }
    }
}

fn handle_meter_event<A: Agenda, X: Exchange>(
    host: &mut MeterHost<'_, '_, '_, '_, A, X>,
    kind: Kind,
    event: &Event,
) {
    match kind {
        Kind::PowerOn => host.power_on(),
        Kind::PowerOff => host.power_off(),
        Kind::Dark => host.dark(event.payload),
        Kind::Boot => host.boot(event.payload),
        Kind::Reauthenticate => host.reauthenticate(),
        Kind::Terminate => host.terminate(),
        Kind::Arrive => host.arrive(context::handle(event)),
        Kind::Ready => host.ready(event.payload),
        Kind::Alarm => host.alarm(),
        Kind::Interval => host.interval(event.payload),
        Kind::Access => host.access(event.payload != 0),
        Kind::Measure => host.measure_tick(),
        Kind::OptOut => host.opt_out(event.payload),
        Kind::Home => host.home(),
        Kind::Optical => host.optical(),
        Kind::Theft => host.open_memory(event.payload),
        Kind::Offer
        | Kind::Request
        | Kind::Admit
        | Kind::Medium
        | Kind::InstanceDown
        | Kind::InstanceUp
        | Kind::SessionAlarm
        | Kind::SubscriberAlarm
        | Kind::Attack
        | Kind::Inject
        | Kind::Release
        | Kind::Order
        | Kind::Round
        | Kind::CommandAlarm => unreachable!("never posted for meters"),
    }
}

fn handle_instance_event<A: Agenda, X: Exchange>(
    mut host: InstanceHost<'_, '_, A, X>,
    kind: Kind,
    event: &Event,
) {
    match kind {
        Kind::InstanceDown => host.go_down(event.payload != 0),
        Kind::InstanceUp => host.come_up(),
        Kind::Arrive => host.arrive(context::handle(event)),
        Kind::Ready => host.ready(),
        Kind::SessionAlarm => host.session_alarm(event.payload),
        Kind::SubscriberAlarm => host.subscriber_alarm(event.payload),
        Kind::Order => host.order(event.payload),
        Kind::Round => host.round(event.payload),
        Kind::CommandAlarm => host.command_alarm(),
        Kind::Reauthenticate => host.reauthenticate(event.payload),
        Kind::Terminate => host.terminate(event.payload),
        Kind::Offer
        | Kind::Request
        | Kind::Access
        | Kind::Measure
        | Kind::OptOut
        | Kind::Home
        | Kind::Optical
        | Kind::Theft
        | Kind::Admit
        | Kind::Medium
        | Kind::PowerOn
        | Kind::PowerOff
        | Kind::Dark
        | Kind::Boot
        | Kind::Alarm
        | Kind::Interval
        | Kind::Attack
        | Kind::Inject
        | Kind::Release => unreachable!("never posted for instances"),
    }
}

fn handle_concentrator_event<A: Agenda, X: Exchange>(
    mut host: ConcentratorHost<'_, '_, A, X>,
    kind: Kind,
    event: &Event,
) {
    match kind {
        Kind::Arrive => host.arrive(context::handle(event)),
        Kind::Offer => host.offer(context::handle(event), event.source),
        Kind::Admit => host.admit(event.source, Admission::of(event.payload)),
        Kind::Medium => host.wake(),
        Kind::Alarm => host.relay_alarm(),
        Kind::PowerOn => host.power_on(),
        Kind::PowerOff => host.power_off(),
        Kind::Boot => host.boot(event.payload),
        Kind::Inject => host.inject(context::handle(event)),
        Kind::Release => host.release(Held::of(event.payload)),
        _ => unreachable!("posted for meters and instances only"),
    }
}
