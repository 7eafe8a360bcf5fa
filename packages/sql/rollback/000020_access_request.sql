SELECT medzen.begin_rollback('000020_access_request', 'access_request');

DROP FUNCTION medzen_api.list_my_access_requests;
DROP FUNCTION medzen_api.request_access;
DROP FUNCTION medzen.access_request_for_person;
DROP FUNCTION medzen.list_access_requests;
DROP FUNCTION medzen.close_access_request;
DROP FUNCTION medzen.extend_access_request;
DROP FUNCTION medzen.open_access_request;
DROP FUNCTION medzen.count_access_request;
DROP FUNCTION medzen.repeated_access_request;
DROP FUNCTION medzen.access_request_json;
DROP TABLE medzen.access_request;
DROP FUNCTION medzen.guard_access_request;

DELETE FROM medzen.permission WHERE function IN ('open_access_request', 'extend_access_request', 'close_access_request',
  'list_access_requests', 'medzen_api.request_access', 'medzen_api.list_my_access_requests');
