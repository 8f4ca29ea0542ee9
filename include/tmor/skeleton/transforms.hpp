#pragma once
/// @file transforms.hpp
/// All transforms of skeleton sequences.

#include "tmor/skeleton/augment.hpp"
#include "tmor/skeleton/normalize.hpp"
#include "tmor/skeleton/repair.hpp"
#include "tmor/skeleton/resample.hpp"
