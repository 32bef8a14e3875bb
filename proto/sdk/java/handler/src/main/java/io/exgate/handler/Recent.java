package io.exgate.handler;

import java.util.LinkedHashMap;
import java.util.Map;

/** Remembers a limited number of names, the most recent ones. */
final class Recent {
  private final Map<String, Boolean> names; // guarded by this

  Recent(int size) {
    names =
        new LinkedHashMap<>() {
          @Override
          protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
            return size() > size;
          }
        };
  }

  synchronized void add(String name) {
    names.put(name, true);
  }

  synchronized boolean contains(String name) {
    return names.containsKey(name);
  }
}
