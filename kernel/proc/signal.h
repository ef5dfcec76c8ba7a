/* stub */
#pragma once
static inline void signal_send_self(int signal)
{
	(void)signal;
}
