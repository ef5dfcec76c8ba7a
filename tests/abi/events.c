/*
 * eventfd, timerfd, epoll, poll.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/abi/abi.h"

static void add(int fd, uint64_t value)
{
	write(fd, &value, sizeof(value));
}

static uint64_t take(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) < 0 ? (uint64_t)-errno : value;
}

static void counters(void)
{
	int fd = (int)WORKED(eventfd(3, EFD_NONBLOCK));
	int semaphore = (int)WORKED(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC));
	uint64_t value = UINT64_MAX;
	char small[4];

	say("cloexec %d", fcntl(semaphore, F_GETFD));
	say("took %ld, %ld", (long)take(fd), (long)take(fd));
	add(fd, 5);
	add(fd, 6);
	say("sum %ld", (long)take(fd));
	say("semaphore %ld %ld %ld", (long)take(semaphore), (long)take(semaphore),
	    (long)take(semaphore));
	RESULT(write(fd, &value, sizeof(value)));
	add(fd, UINT64_MAX - 1);
	value = 1;
	RESULT(write(fd, &value, sizeof(value)));
	RESULT(read(fd, small, sizeof(small)));
	RESULT(write(fd, small, sizeof(small)));
	RESULT(read(fd, BAD_POINTER, 8));
	RESULT(write(fd, BAD_POINTER, 8));
	RESULT(pread(fd, &value, 8, 0));
	RESULT(eventfd(0, 12345678));
	close(fd);
	close(semaphore);
}

static long left_ms(int fd)
{
	struct itimerspec setting;

	timerfd_gettime(fd, &setting);
	return setting.it_value.tv_sec * 1000 + setting.it_value.tv_nsec / 1000000;
}

static void timers(void)
{
	int fd = (int)WORKED(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct itimerspec setting = { .it_value = { 0, 30000000 } }, old;
	uint64_t start = now_ms(), count;

	say("nothing yet: %ld", (long)take(fd));
	RESULT(timerfd_settime(fd, 0, &setting, NULL));
	say("left: %d", left_ms(fd) > 0 && left_ms(fd) <= 30);
	say("not yet: %ld", (long)take(fd));
	fcntl(fd, F_SETFL, 0);
	count = take(fd);
	say("expired: %ld, in time %d", (long)count, now_ms() - start >= 30);
	say("left: %ld", left_ms(fd));
	fcntl(fd, F_SETFL, O_NONBLOCK);

	setting.it_interval.tv_nsec = 10000000;
	RESULT(timerfd_settime(fd, 0, &setting, &old));
	say("before: %ld %ld", (long)old.it_value.tv_nsec, (long)old.it_interval.tv_nsec);
	sleep_ms(100);
	count = take(fd);
	say("several: %d", count >= 6 && count <= 30);
	RESULT(timerfd_gettime(fd, &old));
	say("interval: %ld", (long)old.it_interval.tv_nsec);

	memset(&setting, 0, sizeof(setting));
	RESULT(timerfd_settime(fd, 0, &setting, NULL));
	take(fd);
	sleep_ms(30);
	say("disarmed: %ld", (long)take(fd));

	clock_gettime(CLOCK_MONOTONIC, &setting.it_value);
	setting.it_value.tv_sec -= 1;
	RESULT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, NULL));
	sleep_ms(5);
	say("in the past: %ld", (long)take(fd));
	setting.it_value.tv_nsec = 1000000000;
	RESULT(timerfd_settime(fd, 0, &setting, NULL));
	setting.it_value.tv_nsec = -1;
	RESULT(timerfd_settime(fd, 0, &setting, NULL));
	RESULT(timerfd_settime(fd, 0, BAD_POINTER, NULL));
	RESULT(timerfd_settime(fd, 64, &setting, NULL));
	RESULT(timerfd_settime(1, 0, &old, NULL));
	RESULT(timerfd_settime(99, 0, &old, NULL));
	RESULT(timerfd_gettime(99, &old));
	RESULT(timerfd_create(777, 0));
	RESULT(timerfd_create(CLOCK_MONOTONIC, 1));
	RESULT(write(fd, &count, sizeof(count)));
	close(fd);

	fd = timerfd_create(CLOCK_REALTIME, 0);
	clock_gettime(CLOCK_REALTIME, &setting.it_value);
	setting.it_value.tv_sec++;
	setting.it_value.tv_nsec /= 2;
	start = now_ms();
	RESULT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, NULL));
	count = take(fd);
	say("by the calendar: %ld, took its time %d", (long)count, now_ms() - start > 100);
	close(fd);
}

static int set;

static void wait_and_say(const char *what)
{
	struct epoll_event events[8];
	int count = epoll_wait(set, events, 8, 0);

	if (count < 1) {
		say("%s: %d", what, count);
		return;
	}
	for (int i = 0; i < count; i++)
		say("%s: %d of %d: %#x for %lu", what, i, count, events[i].events,
		    (unsigned long)events[i].data.u64);
}

static long control(int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(set, operation, fd, &event);
}

static void levels_and_edges(void)
{
	int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK), copy;

	RESULT(control(EPOLL_CTL_ADD, a, EPOLLIN, 1));
	RESULT(control(EPOLL_CTL_ADD, a, EPOLLIN, 1));
	RESULT(control(EPOLL_CTL_ADD, b, EPOLLIN | EPOLLET, 2));
	wait_and_say("nothing");
	add(a, 1);
	wait_and_say("level");
	wait_and_say("level still");
	take(a);
	wait_and_say("level taken");
	add(b, 1);
	wait_and_say("edge");
	wait_and_say("edge, nothing new");
	add(b, 1);
	wait_and_say("edge, written again unread");
	take(b);
	wait_and_say("edge, read");
	add(a, 1);
	add(b, 1);
	wait_and_say("both");
	RESULT(control(EPOLL_CTL_MOD, a, EPOLLOUT, 11));
	wait_and_say("modified");
	RESULT(control(EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 12));
	wait_and_say("one shot");
	wait_and_say("one shot, spent");
	add(a, 1);
	wait_and_say("one shot, still spent");
	RESULT(control(EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 13));
	wait_and_say("one shot, again");
	RESULT(control(EPOLL_CTL_DEL, a, 0, 0));
	RESULT(control(EPOLL_CTL_DEL, a, 0, 0));
	RESULT(control(EPOLL_CTL_MOD, a, EPOLLIN, 0));
	RESULT(control(EPOLL_CTL_ADD, a, EPOLLIN | EPOLLEXCLUSIVE, 14));
	wait_and_say("exclusive");
	RESULT(control(EPOLL_CTL_MOD, a, EPOLLIN, 14));

	copy = dup(a);
	close(a);
	wait_and_say("closed, but a copy is open");
	close(copy);
	wait_and_say("closed");
	close(b);
}

static void nested(void)
{
	int inner = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK), outer = set;
	struct epoll_event event = { .events = EPOLLIN };

	RESULT(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event));
	RESULT(control(EPOLL_CTL_ADD, inner, EPOLLIN, 7));
	wait_and_say("nested, nothing");
	add(fd, 1);
	wait_and_say("nested");
	take(fd);
	wait_and_say("nested, taken");
	RESULT(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event));
	RESULT(epoll_ctl(outer, EPOLL_CTL_ADD, outer, &event));
	close(fd);
	close(inner);
	wait_and_say("inner closed");
}

static void deep(void)
{
	int sets[8];
	struct epoll_event event = { .events = EPOLLIN };

	for (int i = 0; i < 8; i++)
		sets[i] = epoll_create1(0);
	for (int i = 0; i < 7; i++)
		result("one deeper", epoll_ctl(sets[i + 1], EPOLL_CTL_ADD, sets[i], &event));
	for (int i = 0; i < 8; i++)
		close(sets[i]);
}

static void bad_calls(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int file = open("/tmp/abi-regular", O_CREAT | O_RDWR, 0600), fd = eventfd(0, 0);

	RESULT(epoll_create1(1));
	RESULT(epoll_ctl(set, EPOLL_CTL_ADD, 99, &event));
	RESULT(epoll_ctl(99, EPOLL_CTL_ADD, fd, &event));
	RESULT(epoll_ctl(fd, EPOLL_CTL_ADD, set, &event));
	RESULT(epoll_ctl(set, 9, fd, &event));
	RESULT(epoll_ctl(set, EPOLL_CTL_ADD, fd, BAD_POINTER));
	RESULT(epoll_ctl(set, EPOLL_CTL_ADD, file, &event));
	RESULT(epoll_wait(set, &event, 0, 0));
	RESULT(epoll_wait(set, &event, -1, 0));
	RESULT(epoll_wait(99, &event, 1, 0));
	RESULT(epoll_wait(fd, &event, 1, 0));
	event.events = EPOLLOUT;
	RESULT(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	RESULT(syscall(SYS_epoll_wait, set, BAD_POINTER, 1, 0));
	RESULT(epoll_wait(set, &event, 1, -1));
	RESULT(read(set, &event, 8));
	unlink("/tmp/abi-regular");
	close(file);
	close(fd);
}

static void *write_later(void *argument)
{
	sleep_ms(30);
	add((int)(intptr_t)argument, 1);
	return NULL;
}

static void waiting(void)
{
	struct epoll_event event;
	struct pollfd polls[3] = { { .fd = -1 }, { .fd = 99, .events = POLLIN } };
	int fd = eventfd(0, EFD_NONBLOCK);
	pthread_t thread;
	uint64_t start = now_ms();

	control(EPOLL_CTL_ADD, fd, EPOLLIN, 3);
	RESULT(epoll_wait(set, &event, 1, 20));
	say("timed out in time: %d", now_ms() - start >= 20);
	pthread_create(&thread, NULL, write_later, (void *)(intptr_t)fd);
	RESULT(epoll_wait(set, &event, 1, -1));
	pthread_join(thread, NULL);
	take(fd);

	RESULT(poll(polls, 2, 0));
	say("poll: %#x %#x", polls[0].revents, polls[1].revents);
	polls[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
	start = now_ms();
	RESULT(poll(polls, 2, 20));
	say("timed out in time: %d", now_ms() - start >= 20);
	pthread_create(&thread, NULL, write_later, (void *)(intptr_t)fd);
	RESULT(poll(polls, 2, -1));
	say("poll: %#x %#x", polls[0].revents, polls[1].revents);
	pthread_join(thread, NULL);
	polls[1].events = POLLIN | POLLOUT;
	RESULT(poll(polls, 2, -1));
	say("poll: %#x", polls[1].revents);
	RESULT(poll(NULL, 0, 5));
	RESULT(poll(BAD_POINTER, 1, 0));
	RESULT(poll(polls, 1u << 30, 0));
	close(fd);
}

void group_events(void)
{
	counters();
	timers();
	set = (int)WORKED(epoll_create1(EPOLL_CLOEXEC));
	levels_and_edges();
	nested();
	deep();
	bad_calls();
	waiting();
	close(set);
}
