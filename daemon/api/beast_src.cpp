// Boost.Beast, compiled once. Only its HTTP parser is used; what the linker does not need is left out of the program.
#include <boost/beast/src.hpp>
