"""Table of the gRPC status of each domain error. The nearest base class decides. chassis adds the kernel's errors."""

import grpc

from auth_service.domain import errors, personal_token_errors
from chassis.rpc.errors import StatusTable

STATUS: StatusTable = {
    errors.RoleNotGrantable: grpc.StatusCode.PERMISSION_DENIED,
    errors.UserNotFound: grpc.StatusCode.NOT_FOUND,
    errors.UsernameTaken: grpc.StatusCode.ALREADY_EXISTS,
    errors.EmailTaken: grpc.StatusCode.ALREADY_EXISTS,
    errors.ServiceNameTaken: grpc.StatusCode.ALREADY_EXISTS,
    errors.NotAuthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.LastAdmin: grpc.StatusCode.FAILED_PRECONDITION,
    errors.RotationUnderway: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ServiceAccountNotFound: grpc.StatusCode.NOT_FOUND,
    errors.SessionNotFound: grpc.StatusCode.NOT_FOUND,
    personal_token_errors.PersonalTokenNotFound: grpc.StatusCode.NOT_FOUND,
    personal_token_errors.TooManyPersonalTokens: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TooManyAttempts: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.PasswordChecksBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
