# One LLVMFuzzerTestOneInput per parser: tests/fuzz/<name>.cpp, its corpus in tests/fuzz/corpus/<name>/.
# With CONDUCTOR_FUZZ (preset fuzz, clang) each becomes the libFuzzer program "fuzz_<name>":
#   build/fuzz/bin/fuzz_pdu_decode -max_total_time=1800 tests/fuzz/corpus/pdu_decode
# In every other build ctest replays the corpus: "fuzz_replay_<name>".
if(CONDUCTOR_FUZZ)
  target_compile_options(conductor_flags INTERFACE -fsanitize=fuzzer-no-link -Wno-error)
endif()

# conductor_fuzz(pdu_decode LINK modem_pdu)
function(conductor_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
  if(CONDUCTOR_FUZZ)
    add_executable(fuzz_${name} ${folder}/${name}.cpp)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE conductor_flags ${ARG_LINK})
  else()
    add_executable(fuzz_replay_${name} ${folder}/${name}.cpp ${folder}/replay_main.cpp)
    target_link_libraries(fuzz_replay_${name} PRIVATE conductor_flags ${ARG_LINK})
    add_test(NAME fuzz_replay_${name} COMMAND fuzz_replay_${name} ${folder}/corpus/${name})
    set_tests_properties(fuzz_replay_${name} PROPERTIES TIMEOUT 120)
  endif()
endfunction()

conductor_fuzz(pdu_decode LINK modem_pdu)
conductor_fuzz(sms_segment LINK modem_sms)
conductor_fuzz(at_dialogue LINK modem_at)
conductor_fuzz(at_answers LINK modem_at)
conductor_fuzz(at_ussd LINK modem_at)
conductor_fuzz(port_transcript LINK modem_port)
