#!/usr/bin/env bash
# Seven tasks of chapter 02 as a good exam author would check them: one kubectl with jsonpath per task, the pods' answers taken together.
# Runs on the machine, where the parameters are in the environment. Prints a line per task; the exit code counts those not passed.
set -u
failed=0
say() { if [ "$2" = 0 ]; then echo "ok      $1"; else echo "not ok  $1: $3"; failed=$((failed + 1)); fi; }
get() { kubectl get --namespace="$LAB_NAMESPACE" "$@" 2>&1; }

seen=$(get deployment web -o jsonpath='{.spec.template.spec.containers[0].image} {.status.availableReplicas}')
[[ $seen =~ ^course/web:[12]\ [1-9] ]]; say deploy $? "$seen"

seen=$(get deployment web -o jsonpath='{.spec.replicas} {.status.availableReplicas}')
[ "$seen" = "$LAB_REPLICAS $LAB_REPLICAS" ]; say scale $? "$seen"

seen=$(get pods --selector=app=web -o jsonpath='{range .items[*]}{.spec.containers[0].image} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')
[ -n "$seen" ] && ! grep -qvx 'course/web:2 True' <<<"$seen"; say image $? "$seen"

seen=$(get replicasets --selector=app=web --sort-by='{.metadata.annotations.deployment\.kubernetes\.io/revision}' \
  -o jsonpath='{range .items[*]}{.spec.template.spec.containers[0].image}|{.metadata.annotations.kubernetes\.io/change-cause}{"\n"}{end}')
grep -q '^course/web:1|' <<<"$seen" && grep -q '^course/web:2|..*' <<<"$(tail -n 1 <<<"$seen")"; say history $? "$seen"

seen=$(get pods --selector=app=web -o jsonpath='{range .items[*]}{.spec.containers[0].readinessProbe.httpGet.path} {.spec.containers[0].readinessProbe.httpGet.port} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')
[ -n "$seen" ] && ! grep -qvx "/readyz $LAB_PORT True" <<<"$seen"; say ready $? "$seen"

seen=$(get pods --selector=app=web -o jsonpath='{range .items[*]}{.spec.containers[0].resources.requests.cpu} {.spec.containers[0].resources.requests.memory}{"\n"}{end}')
[ -n "$seen" ] && ! grep -qvx "${LAB_CPU}m ${LAB_MEMORY}Mi" <<<"$seen"; say requests $? "$seen"

seen=$(cat ~/work/crash.txt 2>&1)
[ "$seen" = "$LAB_MISSING" ]; say crash $? "$seen"
exit "$failed"
