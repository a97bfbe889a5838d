// Boost.Beast, compiled once: the HTTP parser of daemon/api and the websocket of sync/client. What the linker does not need is left out of
// the program.
#include <boost/beast/src.hpp>
