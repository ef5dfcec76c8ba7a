/*
 * The gate that every vCPU thread passes: see gate.h.
 */
#include "vmm/gate.h"

void gate_init(struct gate *gate, uint32_t nr_threads)
{
	*gate = (struct gate){ .nr_threads = nr_threads, .is_closed = true };
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->changed, NULL);
}

bool gate_is_closed(struct gate *gate)
{
	return __atomic_load_n(&gate->is_closed, __ATOMIC_ACQUIRE);
}

bool gate_pass(struct gate *gate)
{
	bool may_pass;

	if (!gate_is_closed(gate))
		return true;
	pthread_mutex_lock(&gate->lock);
	gate->nr_waiting++;
	pthread_cond_broadcast(&gate->changed);
	while (gate->is_closed && !gate->is_over)
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->nr_waiting--;
	may_pass = !gate->is_over;
	pthread_mutex_unlock(&gate->lock);
	return may_pass;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->nr_threads--;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_close(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	__atomic_store_n(&gate->is_closed, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&gate->lock);
}

void gate_wait_closed(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->nr_waiting < gate->nr_threads)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	__atomic_store_n(&gate->is_closed, false, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

/* Closed and over: whoever stands at the gate, or comes to it, leaves. */
void gate_dismiss(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	__atomic_store_n(&gate->is_closed, true, __ATOMIC_RELEASE);
	gate->is_over = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}
