#pragma once
// A submission between Ctrl-Z and its final result; inside SimModem alone.
#include <memory>
#include <string>

#include "tools/modemsim/core/network.hpp"

namespace conductor::modemsim {

struct SimModem::Flight {
    Octets tpdu;
    Submit parsed;
    Verdict verdict;
    std::string answer_name;  ///< "+CMGS" or "+CMSS"
    std::string memory;       ///< of +CMSS
    int stored_index = -1;
    std::uint8_t mr = 0;
    std::shared_ptr<Submission> taken;  ///< set once the network has it
};

}  // namespace conductor::modemsim
