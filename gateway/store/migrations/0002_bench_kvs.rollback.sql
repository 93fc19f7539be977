DROP TABLE bench_kvs;
