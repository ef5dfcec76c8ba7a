/*
 * A thread that runs an event loop for one device: see worker.h.
 */
#include <stdio.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/thread.h"
#include "vmm/sandbox.h"
#include "vmm/worker.h"

/* Out of epoll_wait(): what there is to do, worker_may_run() sees. */
static void worker_woken(void *context UNUSED)
{
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

	(void)prctl(PR_SET_NAME, worker->name);
	err = sandbox_enter(SYSCALL_WORKER);
	while (!err && worker_may_run(worker))
		err = loop_turn(&worker->loop, -1);
	if (err)
		log_error("a device's thread failed with error %d; the device stops", -err);
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
	snprintf(worker->name, sizeof(worker->name), "%s", name);
	err = loop_create(&worker->loop);
	if (err)
		return err;
	err = wakeup_create(&worker->wake, &worker->loop, worker_woken, worker);
	if (err)
		goto err_loop;

	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	err = thread_start(&worker->thread, worker_main, worker);
	if (err)
		goto err_sync;
	return 0;

err_sync:
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	wakeup_destroy(&worker->wake);
err_loop:
	loop_destroy(&worker->loop);
	return err;
}

void worker_destroy(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->is_leaving = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
	wakeup_raise(&worker->wake);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	wakeup_destroy(&worker->wake);
	loop_destroy(&worker->loop);
}

void worker_park(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	__atomic_store_n(&worker->parks, worker->parks + 1, __ATOMIC_RELAXED);
	wakeup_raise(&worker->wake);
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
