# Tests that run the programs as processes, and judges of what is no C++. Label "integration": tools/test --fast leaves them out.
set(checks ${CMAKE_SOURCE_DIR}/tools/lib)
add_test(NAME format COMMAND ${checks}/check-format)
add_test(NAME systemd_unit COMMAND ${checks}/check-unit)
set_tests_properties(format systemd_unit PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)

if(TARGET conductord)
  add_test(NAME example_config COMMAND conductord --config ${CMAKE_SOURCE_DIR}/systemd/conductor.toml --check)
  set(pins ${CMAKE_CURRENT_BINARY_DIR}/pins)
  file(WRITE ${pins}/bad "12a4\n")
  file(WRITE ${pins}/good "1234\n")
  file(WRITE ${pins}/c.toml "[gateway]\nid = \"box-1\"\nregion = \"US\"\n\
[[modem]]\nindex = 0\nmatch = { port = \"/dev/x\" }\npin_file = \"${pins}/good\"\n\
[[modem]]\nindex = 3\nmatch = { port = \"/dev/y\" }\npin_file = \"${pins}/bad\"\n")
  add_test(NAME check_names_a_bad_pin COMMAND conductord --config ${pins}/c.toml --check)
  set_tests_properties(check_names_a_bad_pin PROPERTIES
    PASS_REGULAR_EXPRESSION "c.toml: modem.3..pin_file: [^\n]*/bad holds no PIN" FAIL_REGULAR_EXPRESSION "modem.0.")
endif()

conductor_test(unit_tools_harness unit/tools/harness LINK tools_harness)
add_dependencies(unit_tools_harness modemsim)
conductor_test(unit_tools_quickstart_main unit/tools/quickstart_main LINK conductor_flags)
target_sources(unit_tools_quickstart_main PRIVATE ${CMAKE_SOURCE_DIR}/tools/quickstart_main/table.cpp)
add_library(shifted_clock MODULE support/clock/shifted_clock.cpp)  # loaded into programs whose clocks are wrong, or have slept
set_target_properties(shifted_clock PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
foreach(kind daemon supabase)
  if(TARGET conductord AND TARGET conductorctl AND TARGET modemsim)
    conductor_test(integration_${kind} integration/${kind} LINK tools_harness LABELS integration TIMEOUT 600
      ARGUMENTS "--test-case-exclude=*kill -9*")
    if(TARGET integration_${kind})
      add_dependencies(integration_${kind} conductord conductorctl modemsim shifted_clock)
    endif()
  endif()
endforeach()
if(TARGET integration_daemon)  # beside the rest: both wait more than they work
  add_test(NAME integration_kills COMMAND integration_daemon "--test-case=*kill -9*")
  set_tests_properties(integration_kills PROPERTIES TIMEOUT 600 LABELS integration)
endif()

# Other people's gateways, unchanged, on modemsim (exit 77 where one is not installed), and the page of modemsim as written.
foreach(peer gammu smstools readme)
  add_test(NAME peer_${peer} COMMAND ${CMAKE_CURRENT_LIST_DIR}/peers/${peer}.py $<TARGET_FILE:modemsim>)
  set_tests_properties(peer_${peer} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 400 LABELS integration)
endforeach()
