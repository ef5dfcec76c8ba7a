/*
 * Linux's error numbers.
 */
#pragma once

#include <asm/errno.h>
