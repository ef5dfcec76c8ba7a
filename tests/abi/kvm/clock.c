/*
 * Time for guests: KVM_GET_CLOCK, KVM_SET_CLOCK, the time-stamp counter, what kvmclock writes to guest memory.
 */
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { CLOCK_AT = 0x2000, WALL_AT = 0x2100, STEAL_AT = 0x2200 };

#define MSR_WALL_CLOCK	UINT32_C(0x4b564d00)
#define MSR_SYSTEM_TIME UINT32_C(0x4b564d01)
#define MSR_STEAL_TIME	UINT32_C(0x4b564d03)
#define NS_PER_S	UINT64_C(1000000000)

static void say_clock(const struct machine *machine)
{
	struct kvm_clock_data data = { .clock = 1000 * NS_PER_S };
	uint64_t first;

	RESULT(ioctl(machine->vm, KVM_SET_CLOCK, &data));
	RESULT(ioctl(machine->vm, KVM_GET_CLOCK, &data));
	say("goes on from there: %d",
	    data.clock >= 1000 * NS_PER_S && data.clock < 1010 * NS_PER_S);
	first = data.clock;
	sleep_ms(50);
	RESULT(ioctl(machine->vm, KVM_GET_CLOCK, &data));
	say("advances as time does: %d",
	    data.clock >= first + 40000000 && data.clock < first + 10 * NS_PER_S);
	data.flags = 1;
	RESULT(ioctl(machine->vm, KVM_SET_CLOCK, &data));
	data.flags = 0;
	RESULT(ioctl(machine->vm, KVM_GET_CLOCK, BAD_POINTER));
	RESULT(ioctl(machine->vm, KVM_SET_CLOCK, BAD_POINTER));
}

static void say_tsc(const struct machine *machine)
{
	long khz = ioctl(machine->vcpu, KVM_GET_TSC_KHZ, 0);
	uint64_t first, second, adjust;

	say("plausible: %d", khz > 1000 && khz < 100000000);
	RESULT(ioctl(machine->vcpu, KVM_SET_TSC_KHZ, 0));
	result("KVM_SET_TSC_KHZ, the same", ioctl(machine->vcpu, KVM_SET_TSC_KHZ, khz));
	result("KVM_SET_TSC_KHZ, half", ioctl(machine->vcpu, KVM_SET_TSC_KHZ, khz / 2));

	RESULT(machine_set_msr(machine, 0x10, UINT64_C(1) << 50));
	RESULT(machine_get_msr(machine, 0x10, &first));
	say("the counter goes on from there: %d",
	    first >= UINT64_C(1) << 50 && first < UINT64_C(1) << 51);
	/* So close that it must be meant as the same. */
	RESULT(machine_set_msr(machine, 0x10, UINT64_C(1) << 50));
	RESULT(machine_get_msr(machine, 0x10, &second));
	say("and isn't set back: %d", second > first);
	RESULT(machine_set_msr(machine, 0x3b, 5000));
	RESULT(machine_get_msr(machine, 0x3b, &adjust));
	say("adjusted by %llu", (unsigned long long)adjust);
	RESULT(machine_set_msr(machine, 0x3b, 0));
}

struct system_time {
	uint32_t version, pad0;
	uint64_t tsc, ns;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags, pad[2];
};

static struct system_time read_time(const struct machine *machine)
{
	struct system_time time;

	memcpy(&time, machine->memory + CLOCK_AT, sizeof(time));
	return time;
}

static uint64_t time_now(const struct machine *machine)
{
	struct system_time time = read_time(machine);
	uint64_t ticks;

	machine_get_msr(machine, 0x10, &ticks);
	ticks -= time.tsc;
	ticks = time.shift < 0 ? ticks >> -time.shift : ticks << time.shift;
	return time.ns + (uint64_t)((unsigned __int128)ticks * time.multiplier >> 32);
}

static void run(struct machine *machine)
{
	static const uint8_t code[] = { 0xe6, MACHINE_END_PORT };

	machine_load(machine, code, sizeof(code));
	machine_run(machine);
}

static void say_kvmclock(struct machine *machine)
{
	struct kvm_clock_data data = { 0 };
	uint32_t wall[3], version;
	int64_t apart;

	RESULT(ioctl(machine->vcpu, KVM_KVMCLOCK_CTRL, 0));
	memset(machine->memory + CLOCK_AT, 0, 0x300);
	RESULT(machine_set_msr(machine, MSR_SYSTEM_TIME, CLOCK_AT | 1));
	RESULT(machine_set_msr(machine, MSR_WALL_CLOCK, WALL_AT));
	run(machine);
	version = read_time(machine).version;
	say("system time: version %s, flags %x", version && !(version & 1) ? "even" : "odd",
	    read_time(machine).flags);
	ioctl(machine->vm, KVM_GET_CLOCK, &data);
	apart = (int64_t)(time_now(machine) - data.clock);
	say("agrees with KVM_GET_CLOCK: %d", apart > -1000000000 && apart < 1000000000);
	memcpy(wall, machine->memory + WALL_AT, sizeof(wall));
	say("wall clock: version %s, plausible %d", wall[0] && !(wall[0] & 1) ? "even" : "odd",
	    wall[1] > 0 && wall[2] < NS_PER_S);

	RESULT(ioctl(machine->vcpu, KVM_KVMCLOCK_CTRL, 0));
	run(machine);
	say("after a pause: flags %x", read_time(machine).flags);
	run(machine);
	say("as long as the guest doesn't clear it: flags %x", read_time(machine).flags);

	data.clock = 5000 * NS_PER_S;
	data.flags = 0;
	RESULT(ioctl(machine->vm, KVM_SET_CLOCK, &data));
	run(machine);
	say("after KVM_SET_CLOCK: %d, another version %d",
	    time_now(machine) >= 5000 * NS_PER_S && time_now(machine) < 5010 * NS_PER_S,
	    read_time(machine).version != version);
	RESULT(machine_set_msr(machine, MSR_SYSTEM_TIME, 0));
	RESULT(ioctl(machine->vcpu, KVM_KVMCLOCK_CTRL, 0));
}

static void say_steal_time(struct machine *machine)
{
	uint64_t stolen;
	uint32_t version;

	RESULT(machine_set_msr(machine, MSR_STEAL_TIME, STEAL_AT | 1));
	run(machine);
	memcpy(&stolen, machine->memory + STEAL_AT, sizeof(stolen));
	memcpy(&version, machine->memory + STEAL_AT + 8, sizeof(version));
	say("steal time: version %s, plausible %d", version && !(version & 1) ? "even" : "odd",
	    stolen < 100 * NS_PER_S);
	/* An address where nothing is: the guest's own loss. */
	RESULT(machine_set_msr(machine, MSR_STEAL_TIME, 0xf0000001));
	RESULT(machine_set_msr(machine, MSR_SYSTEM_TIME, 0xf0000001));
	run(machine);
}

void group_kvm_clock(void)
{
	struct machine machine;

	if (!machine_open(&machine, 0, 1)) {
		machine_give_cpuid(&machine);
		say_clock(&machine);
		say_tsc(&machine);
		say_kvmclock(&machine);
		say_steal_time(&machine);
	}
	machine_close(&machine);
}
