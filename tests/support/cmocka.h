/*
 * cmocka with what it wants included before it, and <stdbool.h> and friends for the tests.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
