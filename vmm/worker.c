/*
 * A thread that runs an event loop for one device: see worker.h.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/worker.h"

static void worker_woken(void *context, uint32_t events UNUSED)
{
	struct worker *worker = context;
	uint64_t count;

	if (read(worker->wake.fd, &count, sizeof(count)) < 0)
		return; /* nothing there: the loop looks at the flags anyway */
}

static void worker_wake(struct worker *worker)
{
	uint64_t one = 1;

	if (write(worker->wake.fd, &one, sizeof(one)) < 0)
		return; /* a full counter is a pending wake-up too */
}

/* Waits out every park. Returns false when it is time to leave. */
static bool worker_may_run(struct worker *worker)
{
	bool may_run;

	pthread_mutex_lock(&worker->lock);
	if (worker->parks && !worker->is_leaving) {
		worker->is_parked = true;
		pthread_cond_broadcast(&worker->changed);
		while (worker->parks && !worker->is_leaving)
			pthread_cond_wait(&worker->changed, &worker->lock);
		worker->is_parked = false;
	}
	may_run = !worker->is_leaving;
	pthread_mutex_unlock(&worker->lock);
	return may_run;
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	int err;

	while (worker_may_run(worker)) {
		err = loop_turn(&worker->loop, -1);
		if (err) {
			log_error("a device's event loop failed with error %d; the device stops", -err);
			break;
		}
	}
	pthread_mutex_lock(&worker->lock);
	worker->is_leaving = true;
	worker->is_parked = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

int worker_create(struct worker *worker, const char *name)
{
	int err;

	*worker = (struct worker){ .parks = 1 };
	worker->wake = (struct loop_source){ .ready = worker_woken, .context = worker };
	worker->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->wake.fd < 0)
		return -errno;
	err = loop_create(&worker->loop);
	if (err)
		goto err_eventfd;
	err = loop_add(&worker->loop, &worker->wake, EPOLLIN);
	if (err)
		goto err_loop;

	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	err = -pthread_create(&worker->thread, NULL, worker_main, worker);
	if (err)
		goto err_sync;
	(void)pthread_setname_np(worker->thread, name);
	return 0;

err_sync:
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
err_loop:
	loop_destroy(&worker->loop);
err_eventfd:
	close(worker->wake.fd);
	return err;
}

void worker_destroy(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->is_leaving = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	loop_destroy(&worker->loop);
	close(worker->wake.fd);
}

void worker_park(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	__atomic_store_n(&worker->parks, worker->parks + 1, __ATOMIC_RELAXED);
	worker_wake(worker);
	while (!worker->is_parked)
		pthread_cond_wait(&worker->changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
}

void worker_unpark(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	__atomic_store_n(&worker->parks, worker->parks - 1, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

bool worker_should_yield(const struct worker *worker)
{
	return __atomic_load_n(&worker->parks, __ATOMIC_RELAXED) != 0;
}
