/*
 * ACPI fixed hardware: see pm.h.
 */
#include "vmm/platform/byte_io.h"
#include "vmm/platform/pm.h"
#include "vmm/platform/ticks.h"

enum { /* PM1 status and enable: ACPI, 4.8.4.1 "PM1 Event Grouping" */
       EVENT_TIMER = 1 << 0,
       EVENT_GLOBAL = 1 << 5,
       EVENT_POWER_BUTTON = 1 << 8,
       EVENT_SLEEP_BUTTON = 1 << 9,
       EVENT_RTC = 1 << 10,
       STATUS_WAKE = 1 << 15,

       EVENTS = EVENT_TIMER | EVENT_GLOBAL | EVENT_POWER_BUTTON | EVENT_SLEEP_BUTTON | EVENT_RTC,
       STATUS_CLEARABLE = EVENTS | STATUS_WAKE,
};

enum { /* PM1 control: 4.8.4.2 "PM1 Control Grouping" */
       CONTROL_SCI_ENABLED = 1 << 0,
       CONTROL_BUS_MASTER_RELOAD = 1 << 1,
       CONTROL_SLEEP_TYPE_SHIFT = 10,
       CONTROL_SLEEP_TYPE = 7 << CONTROL_SLEEP_TYPE_SHIFT,
       CONTROL_SLEEP_ENABLE = 1 << 13, /* write-only, as is the release of the global lock */
       CONTROL_WRITABLE = CONTROL_BUS_MASTER_RELOAD | CONTROL_SLEEP_TYPE,
};

/* The timer's status is set when its highest bit changes, either way. */
#define CARRY_TICKS (UINT64_C(1) << (PM_TIMER_BITS - 1))

static_assert(PM_TIMER_BITS == 24 || PM_TIMER_BITS == 32, "ACPI knows two widths");
static_assert(sizeof(struct pm_state) == 24, "pm_state is saved");

static uint64_t now_tick(const struct pm *pm)
{
	return ticks_at_ns(vmclock_now_ns(pm->clock), PM_TIMER_HZ);
}

static void drive_sci(struct pm *pm)
{
	const struct pm_state *s = &pm->state;

	irq_line_set(&pm->sci, (s->status & s->enable) || (s->gpe_status & s->gpe_enable));
}

static uint64_t next_carry(uint64_t tick)
{
	return (tick / CARRY_TICKS + 1) * CARRY_TICKS;
}

/* Notice a carry of the timer. */
static void catch_up(struct pm *pm)
{
	uint64_t tick = now_tick(pm);

	if (tick < pm->state.timer_carry_tick)
		return;
	pm->state.status |= EVENT_TIMER;
	pm->state.timer_carry_tick = next_carry(tick);
	drive_sci(pm);
}

/* The host's timer is needed only while a carry would raise the SCI. */
static void arm_timer(struct pm *pm)
{
	const struct pm_state *s = &pm->state;

	if ((s->enable & EVENT_TIMER) && !(s->status & EVENT_TIMER))
		vtimer_arm(&pm->timer, ticks_to_ns(s->timer_carry_tick, PM_TIMER_HZ));
	else
		vtimer_cancel(&pm->timer);
}

static void timer_expired(void *context)
{
	struct pm *pm = context;

	pthread_mutex_lock(pm->lock);
	catch_up(pm);
	arm_timer(pm);
	pthread_mutex_unlock(pm->lock);
}

/* What can be read, as words of 8 bytes: a wide read samples the timer once. */
static uint64_t read_word(const struct pm *pm, uint64_t offset)
{
	const struct pm_state *s = &pm->state;

	switch (offset) {
	case PM_EVENT_OFFSET: /* and the control block */
		return s->status | (uint64_t)s->enable << 16 |
		       (uint64_t)(s->control | CONTROL_SCI_ENABLED) << 32;
	case PM_TIMER_OFFSET:
		return now_tick(pm) & (2 * CARRY_TICKS - 1);
	case PM_GPE_OFFSET:
		return s->gpe_status | (uint64_t)s->gpe_enable << 32;
	default:
		return 0;
	}
}

static uint64_t pm_read(void *device, uint64_t offset, uint32_t size)
{
	struct pm *pm = device;
	uint32_t within = offset % 8;
	uint64_t value;

	catch_up(pm);
	value = read_word(pm, offset - within) >> (8 * within);
	if (within + size > 8)
		value |= read_word(pm, offset - within + 8) << (8 * (8 - within));
	return value;
}

static void sleep_enabled(struct pm *pm)
{
	int type = (pm->state.control & CONTROL_SLEEP_TYPE) >> CONTROL_SLEEP_TYPE_SHIFT;

	if (type == PM_SLEEP_S5)
		power_wish(&pm->power, POWER_WISH_OFF);
}

/* @which: the byte of the register that @value goes to */
static uint32_t with_byte(uint32_t old, uint64_t which, uint8_t value)
{
	uint32_t shift = 8 * (uint32_t)which;

	return (old & ~(UINT32_C(0xff) << shift)) | (uint32_t)value << shift;
}

static void pm_write_byte(void *device, uint64_t offset, uint8_t value)
{
	struct pm *pm = device;
	struct pm_state *s = &pm->state;
	uint32_t ones = with_byte(0, offset % 4, value);

	switch (offset) {
	case PM_EVENT_OFFSET ... PM_EVENT_OFFSET + 1:
		s->status &= (uint16_t) ~(ones & STATUS_CLEARABLE);
		break;
	case PM_EVENT_OFFSET + 2 ... PM_EVENT_OFFSET + 3:
		s->enable = (uint16_t)(with_byte(s->enable, offset % 2, value) & EVENTS);
		break;
	case PM_CONTROL_OFFSET ... PM_CONTROL_OFFSET + 1:
		s->control =
			(uint16_t)(with_byte(s->control, offset % 2, value) & CONTROL_WRITABLE);
		if (ones & CONTROL_SLEEP_ENABLE)
			sleep_enabled(pm);
		break;
	case PM_GPE_OFFSET ... PM_GPE_OFFSET + PM_GPE_BYTES / 2 - 1:
		s->gpe_status &= ~ones;
		break;
	case PM_GPE_OFFSET + PM_GPE_BYTES / 2 ... PM_GPE_OFFSET + PM_GPE_BYTES - 1:
		s->gpe_enable = with_byte(s->gpe_enable, offset % 4, value);
		break;
	default: /* the timer is read-only */
		break;
	}
}

static void pm_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	struct pm *pm = device;

	catch_up(pm);
	byte_io_write(pm, offset, value, size, pm_write_byte);
	arm_timer(pm);
	drive_sci(pm);
}

const struct bus_ops pm_ops = { .read = pm_read, .write = pm_write };

int pm_create(struct pm *pm, struct loop *loop, const struct vmclock *clock, pthread_mutex_t *lock,
	      const struct irq_line *sci, const struct power_sink *power)
{
	int err;

	*pm = (struct pm){ .sci = *sci, .power = *power, .clock = clock, .lock = lock };
	err = vtimer_create(&pm->timer, loop, clock, timer_expired, pm);
	if (err)
		return err;
	pm_reset(pm);
	return 0;
}

void pm_destroy(struct pm *pm)
{
	vtimer_destroy(&pm->timer);
}

void pm_reset(struct pm *pm)
{
	pm->state = (struct pm_state){
		.timer_carry_tick = next_carry(now_tick(pm)),
	};
	pm_resume(pm);
}

void pm_resume(struct pm *pm)
{
	arm_timer(pm);
	drive_sci(pm);
}

void pm_power_button(struct pm *pm)
{
	pm->state.status |= EVENT_POWER_BUTTON;
	drive_sci(pm);
}

void pm_gpe_raise(struct pm *pm, uint32_t n)
{
	if (n >= PM_GPES)
		return;
	pm->state.gpe_status |= UINT32_C(1) << n;
	drive_sci(pm);
}
